/** Amounts of memory for people. GPUs are sold and measured in powers of two. */

const KIB = 2 ** 10
const MIB = 2 ** 20
const GIB = 2 ** 30

/** `16 KiB`, `12.3 MiB`, `1.50 GiB` */
export function memoryText(bytes: number): string {
  if (bytes < 0.995 * MIB) return `${Math.ceil(bytes / KIB)} KiB`
  return bytes < 0.995 * GIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${(bytes / GIB).toFixed(2)} GiB`
}

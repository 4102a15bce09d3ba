/** Numbers as the report writes them. */
const BYTES_PER_GIGABYTE = 1e9
const SECONDS_PER_MINUTE = 60
const SECONDS_PER_HOUR = 3600

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function short(value: number): string {
  return value === 0 || (Math.abs(value) >= 0.01 && Math.abs(value) < 10_000)
    ? String(Number(value.toPrecision(3)))
    : value.toExponential(1)
}

export function bytes(value: number): string {
  return value < BYTES_PER_GIGABYTE ? `${Math.round(value / 1e6)} MB` : `${(value / BYTES_PER_GIGABYTE).toFixed(1)} GB`
}

export function duration(seconds: number): string {
  if (seconds < SECONDS_PER_MINUTE) return `${Math.round(seconds)} s`
  if (seconds < SECONDS_PER_HOUR)
    return `${Math.floor(seconds / SECONDS_PER_MINUTE)} min ${Math.round(seconds % SECONDS_PER_MINUTE)} s`
  return `${Math.floor(seconds / SECONDS_PER_HOUR)} h ${Math.round((seconds % SECONDS_PER_HOUR) / SECONDS_PER_MINUTE)} min`
}

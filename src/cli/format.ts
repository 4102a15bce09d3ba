/** Durations, counts and sizes as people read them. Programs get plain numbers through `--json`. */

const SECONDS_PER_MINUTE = 60
const SECONDS_PER_HOUR = 3600
const SECONDS_PER_DAY = 86_400

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `0.4s`, `9.5s`, `42s`, `1m12s`, `2h05m`, `1d03h`. Takes seconds. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${Math.max(0, seconds).toFixed(1)}s`

  const whole = Math.max(0, Math.round(seconds))
  if (whole < SECONDS_PER_MINUTE) return `${whole}s`
  if (whole < SECONDS_PER_HOUR) return pair(whole, SECONDS_PER_MINUTE, 'm', 1, 's')
  if (whole < SECONDS_PER_DAY) return pair(whole, SECONDS_PER_HOUR, 'h', SECONDS_PER_MINUTE, 'm')
  return pair(whole, SECONDS_PER_DAY, 'd', SECONDS_PER_HOUR, 'h')
}

/** `12,840` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 row`, `12,840 rows` */
export function formatCounted(count: number, unit: string): string {
  return `${formatCount(count)} ${unit}${count === 1 ? '' : 's'}`
}

/** `512 B`, `1.2 kB`, `374 MB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000
    unit++
  }

  return `${value.toFixed(unit > 0 && value < 99.95 ? 1 : 0)} ${BYTE_UNITS[unit]}`
}

function pair(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)}${largeUnit}${String(rest).padStart(2, '0')}${smallUnit}`
}

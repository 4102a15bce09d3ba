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

/** `42 s`, `3:04 min`, `2:05 h` */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < SECONDS_PER_MINUTE) return `${whole} s`
  const [unit, name] = whole < SECONDS_PER_HOUR ? [SECONDS_PER_MINUTE, 'min'] : [SECONDS_PER_HOUR, 'h']
  const rest = Math.floor((whole % unit) / (unit / SECONDS_PER_MINUTE))
  return `${Math.floor(whole / unit)}:${String(rest).padStart(2, '0')} ${name}`
}

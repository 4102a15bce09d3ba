/** Lines of YAML with comments behind them in one column, as the packaged recipes have them. */
import {stringify} from 'yaml'

/** Column at which comments begin */
const COLUMN = 31

/** `key: value   # comment`; values are scalars or lists of scalars. */
export function keyLine(indent: number, key: string, value: unknown, comment = ''): string {
  return commented(`${' '.repeat(indent)}${key}: ${scalar(value)}`, comment)
}

export function commented(line: string, comment: string): string {
  return comment === '' ? line : `${line.padEnd(COLUMN - 1)} # ${comment}`
}

/** Learning rates read best as 2.0e-4. */
export function scalar(value: unknown): string {
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 0.01) return exponential(value)
  if (Array.isArray(value)) return `[${value.map(scalar).join(', ')}]`
  return stringify(value, {lineWidth: 0}).trimEnd()
}

function exponential(value: number): string {
  const text = Number(value.toPrecision(6)).toExponential()
  return text.includes('.') ? text : text.replace('e', '.0e')
}

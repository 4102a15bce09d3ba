/** Aligned plain text tables for people: columns two spaces apart, no rules, no trailing spaces. Wide characters count double. */
import {displayWidth, padEnd, padStart} from './display-width.js'

export type Alignment = 'left' | 'right'

export interface TableOptions {
  /** The first line; the columns are as wide as it needs. */
  readonly header?: readonly string[]
  /** One per column; columns without one are aligned left. Numbers read best on the right. */
  readonly align?: readonly Alignment[]
  /** Spaces before every line. */
  readonly indent?: number
}

const GAP = '  '

/** Lines joined by '\n', without a last one. Rows may be of different lengths. */
export function formatTable(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const {align = [], header, indent = 0} = options
  const lines = header === undefined ? rows : [header, ...rows]
  const widths: number[] = []
  for (const line of lines) {
    for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell))
  }

  const pad = (cell: string, column: number): string =>
    align[column] === 'right' ? padStart(cell, widths[column]) : padEnd(cell, widths[column])
  return lines.map((line) => (' '.repeat(indent) + line.map(pad).join(GAP)).trimEnd()).join('\n')
}

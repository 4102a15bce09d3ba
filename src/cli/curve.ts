/**
 * A curve in text, two by four dots to a character in Unicode's Braille patterns, or one star where those cannot be shown:
 *
 *   4.36 ┤⠢⡀
 *        │ ⠈⠒⠤⣀
 *   2.87 ┤     ⠉⠒
 *         1 … 60
 */
import {padStart} from './display-width.js'
import {type Signs} from './terminal.js'

export type Point = readonly [x: number, y: number]

export interface CurveOptions {
  readonly columns: number
  readonly rows: number
  readonly signs: Signs
}

/** U+2800 and the bit of each dot, by column and row of the character. */
const BLANK = 0x28_00
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const

/** Lines; none for less than two points. x rises. */
export function drawCurve(points: readonly Point[], {columns, rows, signs}: CurveOptions): string[] {
  const finite = points.filter(([, y]) => Number.isFinite(y))
  if (finite.length < 2) return []
  const [low, high] = boundsOf(finite.map(([, y]) => y))
  const labels = [high, low].map((value) => value.toPrecision(4))
  const gutter = Math.max(...labels.map(({length}) => length))
  const width = Math.max(4, columns - gutter - 3)
  const isPlain = signs.full === '#'
  const cells = isPlain ? stars(finite, width, rows, [low, high]) : braille(finite, width, rows, [low, high])
  const lines = cells.map((cell, row) => {
    const label = row === 0 ? labels[0] : row === rows - 1 ? labels[1] : ''
    const edge = isPlain ? '|' : label === '' ? '│' : '┤'
    return `${padStart(label, gutter)} ${edge}${cell}`.trimEnd()
  })
  const [first, last] = [finite[0][0], finite[finite.length - 1][0]].map(String)
  const between = ' '.repeat(Math.max(1, width - first.length - last.length))
  return [...lines, `${' '.repeat(gutter + 2)}${first}${between}${last}`]
}

function boundsOf(values: readonly number[]): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value))
  const high = values.reduce((most, value) => Math.max(most, value))
  return low === high ? [low - 0.5, high + 0.5] : [low, high]
}

/** For every dot column the height of the curve there, between the two points beside it. */
function heights(points: readonly Point[], count: number, rows: number, [low, high]: [number, number]): number[] {
  const [begin, end] = [points[0][0], points[points.length - 1][0]]
  let at = 0
  return Array.from({length: count}, (_, column) => {
    const x = begin + ((end - begin) * column) / Math.max(1, count - 1)
    while (at < points.length - 2 && points[at + 1][0] < x) at++
    const [[x0, y0], [x1, y1]] = [points[at], points[at + 1]]
    const y = x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)
    return Math.round(((high - y) / (high - low)) * (rows - 1))
  })
}

function braille(points: readonly Point[], width: number, rows: number, bounds: [number, number]): string[] {
  const dots = heights(points, 2 * width, 4 * rows, bounds)
  const cells = Array.from({length: rows}, () => new Uint8Array(width))
  for (const [column, height] of dots.entries()) {
    // Down or up to the next one, so that a steep curve has no gaps.
    const next = dots[column + 1] ?? height
    const towards = Math.sign(next - height)
    for (let dot = height; dot === height || (dot - next) * towards < 0; dot += towards || 1) {
      cells[Math.floor(dot / 4)][Math.floor(column / 2)] |= DOTS[column % 2][dot % 4]
    }
  }
  return cells.map((line) => [...line].map((bits) => (bits === 0 ? ' ' : String.fromCharCode(BLANK + bits))).join(''))
}

function stars(points: readonly Point[], width: number, rows: number, bounds: [number, number]): string[] {
  const lines = Array.from({length: rows}, () => new Array<string>(width).fill(' '))
  for (const [column, height] of heights(points, width, rows, bounds).entries()) lines[height][column] = '*'
  return lines.map((line) => line.join(''))
}

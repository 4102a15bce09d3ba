import {describe, expect, test} from '@jest/globals'
import {drawCurve} from '../../src/cli/curve.js'
import {displayWidth} from '../../src/cli/display-width.js'
import {signsFor} from '../../src/cli/terminal.js'

const signs = signsFor({}, 'linux')
const ascii = signsFor({TERM: 'linux'}, 'linux')
const falling = Array.from({length: 50}, (_, index) => [index + 1, 4 - index / 25] as const)

describe('drawCurve', () => {
  test('draws from the upper left to the lower right what falls, between its highest and its lowest value', () => {
    const lines = drawCurve(falling, {columns: 24, rows: 4, signs: ascii})
    expect(lines.slice(0, -1)).toEqual(
      ['4.000', '     ', '     ', '2.040'].map((label) => expect.stringMatching(new RegExp(`^${label} \\| *\\*+$`))),
    )
    const begins = lines.slice(0, -1).map((line) => line.indexOf('*'))
    expect(begins).toEqual([...begins].sort((a, b) => a - b))
    expect(lines.at(-1)).toMatch(/^ {7}1 +50$/)
  })

  test('draws in Braille where the terminal has it, one unbroken line', () => {
    const lines = drawCurve(falling, {columns: 40, rows: 5, signs}).slice(0, -1)
    expect(lines.join('')).toMatch(/[\u2801-\u28FF]/u)
    const columns = Array.from({length: 30}, (_, column) => lines.filter((line) => (line[column + 7] ?? ' ') !== ' '))
    expect(columns.filter(({length}) => length === 0)).toEqual([])
  })

  test('fits into every width, flat curves and gaps included', () => {
    for (const points of [
      falling,
      [[1, 2] as const, [9, 2] as const],
      [[1, 5] as const, [2, Number.NaN] as const, [3, 1e9] as const],
    ]) {
      for (const columns of [20, 33, 80]) {
        for (const line of drawCurve(points, {columns, rows: 6, signs})) {
          expect(displayWidth(line)).toBeLessThanOrEqual(columns)
        }
      }
    }
  })

  test('of one point is nothing', () => {
    expect(drawCurve([[1, 2]], {columns: 80, rows: 6, signs})).toEqual([])
  })
})

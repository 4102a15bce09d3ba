import {describe, expect, test} from '@jest/globals'
import {collatePacked} from '../../src/data/packed-batch.js'
import {packExamples, type PackingSettings} from '../../src/data/packing.js'
import {RandomStream} from '../../src/data/random.js'
import {unevenRows} from '../support/uneven-rows.js'

const random = new RandomStream(3, 'lengths')
const LENGTHS = Array.from({length: 9000}, () => 2 + Math.floor(60 * random.uniform() ** 2))
const SETTINGS: PackingSettings = {capacity: 128, seed: 1, shuffle: true}

const listed = (rows: readonly Int32Array[]): number[][] => rows.map((row) => [...row])

describe('rows of several examples', () => {
  const rows = packExamples(LENGTHS, SETTINGS)

  test('hold every example once, and no more tokens than they may', () => {
    expect(
      listed(rows)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual([...LENGTHS.keys()])
    expect(Math.max(...rows.map((row) => row.reduce((sum, index) => sum + LENGTHS[index], 0)))).toBe(128)
  })

  test('are full, but for the last of a window', () => {
    const tokens = LENGTHS.reduce((sum, length) => sum + length, 0)
    expect(tokens / (128 * rows.length)).toBeGreaterThan(0.995)
  })

  test('are the same again, and others with another seed', () => {
    expect(listed(packExamples(LENGTHS, SETTINGS))).toEqual(listed(rows))
    expect(listed(packExamples(LENGTHS, {...SETTINGS, seed: 2}))).not.toEqual(listed(rows))
  })

  test('keep the order of the file where nothing is shuffled', () => {
    const ordered = packExamples([5, 9, 3, 4, 2, 8], {...SETTINGS, capacity: 10, shuffle: false})
    expect(listed(ordered)).toEqual([[0, 3], [1], [2], [4, 5]])
  })

  test('may be examples of a whole row each, and none', () => {
    expect(listed(packExamples([4, 4], {...SETTINGS, capacity: 4, shuffle: false}))).toEqual([[0], [1]])
    expect(packExamples([], SETTINGS)).toEqual([])
  })
})

test('a batch of packed rows predicts no token from another example, and counts steps from the start of each', () => {
  const [a, b, c] = unevenRows([3, 2, 4], [0, 0, 2])
  const {ids, labels, positions, ...counts} = collatePacked([[a, b], [c]])
  expect([...ids]).toEqual([...a.ids, ...b.ids, ...c.ids, 0])
  expect([...labels]).toEqual([a.ids[1], a.ids[2], -100, b.ids[1], -100, -100, c.ids[2], c.ids[3], -100, -100])
  expect([...(positions ?? [])]).toEqual([0, 1, 2, 0, 1, 0, 1, 2, 3, 0])
  expect(counts).toEqual({length: 5, rows: 2, supervisedTokens: 5, tokens: 9})
})

import {describe, expect, test} from '@jest/globals'
import {carriedRows, type CarriedSettings, collateCarried, type Piece} from '../../src/data/carried-rows.js'
import {type Example} from '../../src/data/dataset.js'
import {unevenRows} from '../support/uneven-rows.js'

const SETTINGS: CarriedSettings = {length: 8, rows: 3, seed: 1, shuffle: true}
const EXAMPLES = unevenRows([30, 9, 2, 17, 8, 41, 12])

const placeOf = (piece: Piece | null): string | null =>
  piece && `${EXAMPLES.indexOf(piece.example)}:${piece.from}-${piece.to}`

/** The pieces of each stream. */
function streamsOf({at, batches, rows}: ReturnType<typeof carriedRows>, epoch = 0): (string | null)[][] {
  const all = Array.from({length: batches}, (_, index) => at(epoch, index).map(placeOf))
  return Array.from({length: rows}, (_, row) => all.map((batch) => batch[row]))
}

/** The examples as they lie in a file: what is read is noted. */
const readNoting = (read: number[]): readonly Example[] =>
  new Proxy(EXAMPLES, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) read.push(Number(name))
      return Reflect.get(target, name) as unknown
    },
  })

describe('examples in pieces', () => {
  const carried = carriedRows(EXAMPLES, SETTINGS)

  test('are read once an epoch, each in one stream and from its start to its end', () => {
    for (const epoch of [0, 1]) {
      const read = streamsOf(carried, epoch)
        .flat()
        .filter((place) => place !== null)
      expect(read.filter((place) => place.startsWith('5:'))).toEqual([
        '5:0-8',
        '5:8-16',
        '5:16-24',
        '5:24-32',
        '5:32-40',
      ])
      expect(read.toSorted()).toEqual(carried.pieces.map(({from, index, to}) => `${index}:${from}-${to}`).toSorted())
    }
  })

  test('fill their streams evenly, and come in another order in another epoch', () => {
    expect(streamsOf(carried).map((stream) => stream.filter((place) => place !== null).length)).toEqual([6, 5, 5])
    expect(streamsOf(carried, 1)).not.toEqual(streamsOf(carried))
    expect(streamsOf(carriedRows(EXAMPLES, SETTINGS), 1)).toEqual(streamsOf(carried, 1))
  })

  test('keep the order of the file where nothing is shuffled', () => {
    const one = carriedRows(EXAMPLES.slice(1, 4), {...SETTINGS, rows: 1, shuffle: false})
    expect(streamsOf(one)).toEqual([['1:0-8', '2:0-1', '3:0-8', '3:8-16']])
  })

  test('are read once for their lengths, then each where a stream comes to it, and no other', () => {
    const read: number[] = []
    const rows = carriedRows(readNoting(read), {...SETTINGS, rows: 2})
    expect(read).toEqual([...EXAMPLES.keys()])
    read.length = 0
    for (let batch = 0; batch < rows.batches; batch++) rows.placesAt(0, batch)
    expect(read).toEqual([])
    for (let batch = 0; batch < rows.batches; batch++) {
      const places = rows.placesAt(0, batch)
      const pieces = rows.at(0, batch)
      expect(pieces.map(placeOf)).toEqual(places.map((place) => place && `${place.index}:${place.from}-${place.to}`))
    }
    expect(read.toSorted()).toEqual([...EXAMPLES.keys()])
  })

  test('take no more rows than there are examples', () => {
    expect(carriedRows(EXAMPLES.slice(0, 2), SETTINGS).rows).toBe(2)
  })
})

test('a batch of pieces predicts the first token of the next piece, and says which rows go on', () => {
  const [a, b] = unevenRows([20, 5], [0, 0])
  const {continues, ids, labels, ...counts} = collateCarried([
    {example: a, from: 8, to: 16},
    {example: b, from: 0, to: 4},
    null,
  ])
  const empty = (value: number, count: number): number[] => Array.from({length: count}, () => value)
  expect([...ids]).toEqual([...a.ids.subarray(8, 16), ...b.ids.subarray(0, 4), ...empty(0, 12)])
  expect([...labels]).toEqual([...a.ids.subarray(9, 17), ...b.ids.subarray(1, 5), ...empty(-100, 12)])
  expect([...(continues ?? [])]).toEqual([1, 0, 0])
  expect(counts).toEqual({length: 8, rows: 3, supervisedTokens: 12, tokens: 12})
})

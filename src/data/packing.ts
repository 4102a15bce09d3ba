/**
 * Which examples share a row of a batch. A row holds as many tokens as it may; examples are taken in a seeded order, a window
 * of them at a time, and each window is packed by best fit, the longest example first (Coffman et al., Approximation
 * Algorithms for Bin Packing, 1996). Rows are made once for a run, so that every epoch has the same number of steps and a
 * run can go on anywhere; what changes from epoch to epoch is their order. What shares a row changes no result.
 */
import {shuffled} from './batches.js'
import {RandomStream} from './random.js'

export interface PackingSettings {
  /** Tokens of a row; no example is longer. */
  readonly capacity: number
  readonly seed: number
  readonly shuffle: boolean
}

/** Examples that are packed together: enough for full rows, few enough that neighbours in a file need not stay apart. */
const WINDOW = 4096

/** The examples of each row, by index, in the order in which they lie there. */
export function packExamples(lengths: readonly number[], settings: PackingSettings): Int32Array[] {
  const order = settings.shuffle
    ? shuffled(lengths.length, new RandomStream(settings.seed, 'packing'))
    : Int32Array.from(lengths.keys())
  const rows: Int32Array[] = []
  for (let from = 0; from < order.length; from += WINDOW) {
    rows.push(...packWindow(order.subarray(from, from + WINDOW), lengths, settings.capacity))
  }

  return rows
}

/** Rows in the order of their first examples, each with its examples in the order of the window. */
function packWindow(window: Int32Array, lengths: readonly number[], capacity: number): Int32Array[] {
  const places = Array.from(window.keys()).sort((a, b) => lengths[window[b]] - lengths[window[a]] || a - b)
  const rows: number[][] = []
  const withRoom: number[][][] = Array.from({length: capacity + 1}, () => [])
  for (const place of places) {
    const length = lengths[window[place]]
    let room = length
    while (room <= capacity && withRoom[room].length === 0) room++
    let row = withRoom[room]?.pop()
    if (!row) {
      row = []
      room = capacity
      rows.push(row)
    }

    row.push(place)
    withRoom[room - length].push(row)
  }

  for (const row of rows) row.sort((a, b) => a - b)
  return rows.sort((a, b) => a[0] - b[0]).map((row) => Int32Array.from(row, (place) => window[place]))
}

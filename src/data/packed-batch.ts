/**
 * Several examples in each row of a batch, one behind the other. Labels are shifted within each example, so that no token is
 * predicted from the example before it; `positions` tells the operations where state has to begin anew.
 */
import {type Batch} from './batches.js'
import {type Example, ignoredLabel} from './dataset.js'

export function collatePacked(packed: readonly (readonly Example[])[]): Batch {
  const lengths = packed.map((examples) => examples.reduce((sum, {ids}) => sum + ids.length, 0))
  const [rows, length] = [packed.length, Math.max(0, ...lengths)]
  const ids = new Int32Array(rows * length)
  const labels = new Int32Array(rows * length).fill(ignoredLabel)
  const positions = new Int32Array(rows * length)
  for (const [row, examples] of packed.entries()) {
    let at = row * length
    for (const example of examples) {
      ids.set(example.ids, at)
      labels.set(example.labels.subarray(1), at)
      count(positions.subarray(at, at + example.ids.length))
      at += example.ids.length
    }

    // What fills the row is a sequence of its own, so that it is as if it were not there.
    count(positions.subarray(at, (row + 1) * length))
  }

  return {
    ids,
    labels,
    positions,
    rows,
    length,
    tokens: lengths.reduce((sum, tokens) => sum + tokens, 0),
    supervisedTokens: labels.reduce((sum, label) => sum + (label === ignoredLabel ? 0 : 1), 0),
  }
}

function count(positions: Int32Array): void {
  for (const index of positions.keys()) positions[index] = index
}

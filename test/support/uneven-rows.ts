/** Rows of random token ids with unequal lengths and unequal numbers of supervised tokens. */
import {RandomStream} from '../../src/data/random.js'
import {type Example} from '../../src/data/rows.js'

/** Row i has `lengths[i]` tokens and begins with `unsupervised[i]` that the loss ignores. */
export function unevenRows(
  lengths: readonly number[],
  unsupervised: readonly number[] = lengths.map((_, row) => row % 3),
  vocabulary = 96,
): Example[] {
  return lengths.map((length, row) => {
    const random = new RandomStream(17, 'row', row)
    const ids = Int32Array.from({length}, () => 2 + Math.floor(random.uniform() * (vocabulary - 2)))
    return {ids, labels: ids.slice().fill(-100, 0, unsupervised[row]), where: `rows.jsonl:${row + 1}`}
  })
}

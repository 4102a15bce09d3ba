/** Batches of random token ids to compare two models on, where no data is given. The same for every run. */
import {type Batch, collate} from '../data/batches.js'
import {RandomStream} from '../data/random.js'

const BATCHES = 4
const ROWS = 2
const LENGTH = 64

export function probeBatches(vocabulary: number): readonly Batch[] {
  const random = new RandomStream(0, 'probe')
  const row = (index: number): Int32Array => {
    // Lengths differ, so that padding is part of what is compared.
    const length = LENGTH - 7 * (index % 3)
    return Int32Array.from({length}, () => Math.floor(random.uniform() * vocabulary))
  }
  return Array.from({length: BATCHES}, () =>
    collate(
      Array.from({length: ROWS}, (_, index) => {
        const ids = row(index)
        return {ids, labels: ids, where: 'probe'}
      }),
    ),
  )
}

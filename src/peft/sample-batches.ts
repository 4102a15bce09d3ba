/** The first rows of a user's file as batches to compare two models on. */
import {type Batch, collate} from '../data/batches.js'
import {readDataset} from '../data/rows.js'
import {loadTokenizer} from '../data/tokenizer.js'

const ROWS = 32
const BATCH = 8
const MAX_LENGTH = 256

export async function sampleBatches(model: string, file: string): Promise<readonly Batch[]> {
  const tokenizer = await loadTokenizer(model)
  const {examples} = await readDataset([file], tokenizer, {
    appendEos: false,
    format: 'auto',
    lossOn: 'auto',
    maxLength: MAX_LENGTH,
  })
  const chosen = examples.slice(0, ROWS)
  return Array.from({length: Math.ceil(chosen.length / BATCH)}, (_, index) =>
    collate(chosen.slice(index * BATCH, (index + 1) * BATCH)),
  )
}

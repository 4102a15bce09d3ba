/** The first rows of a user's file as batches to compare two models on. */
import {type Batch, collate} from '../data/batches.js'
import {readDataset} from '../data/rows.js'
import {loadTokenizer} from '../data/tokenizer.js'

const ROWS = 8
const BATCH = 2
const MAX_LENGTH = 128 // the logits of both sides are held: 8 rows of 128 tokens of 50,280 numbers are 200 MB a side

export async function sampleBatches(tokenizerDirectory: string, file: string): Promise<readonly Batch[]> {
  const tokenizer = await loadTokenizer(tokenizerDirectory)
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

/** Rows as the model will see them: tokens, and which of them are trained. `mambatune data preview`. */
import {type DataSettings, type Example, ignoredLabel} from '../data/dataset.js'
import {readDataset} from '../data/rows.js'
import {type Tokenizer} from '../data/tokenizer.js'

export interface DataPreview {
  readonly format: string
  readonly notes: readonly string[]
  readonly rows: readonly PreviewRow[]
}

export interface PreviewRow {
  readonly where: string
  readonly length: number
  readonly supervised: number
  readonly tokens: readonly PreviewToken[]
}

export interface PreviewToken {
  /** Several where a character spans them */
  readonly ids: readonly number[]
  readonly text: string
  /** Whether the loss counts it; the first token of a row never is, nothing comes before it */
  readonly trained: boolean
  readonly eos: boolean
}

export async function previewData(
  files: readonly string[],
  tokenizer: Tokenizer,
  settings: DataSettings,
  count: number,
): Promise<DataPreview> {
  const {examples, format, notes} = await readDataset(files, tokenizer, settings, {limit: count})
  return {format, notes, rows: examples.slice(0, count).map((example) => previewOf(example, tokenizer))}
}

function previewOf({ids, labels, where}: Example, tokenizer: Tokenizer): PreviewRow {
  const isTrained = (position: number): boolean => position > 0 && labels[position] !== ignoredLabel
  const tokens: PreviewToken[] = []
  for (let begin = 0; begin < ids.length;) {
    let end = begin + 1
    // What is not a whole character yet decodes as U+FFFD; four tokens hold any.
    const text = (): string => tokenizer.decode([...ids.subarray(begin, end)])
    while (text().endsWith('\uFFFD') && end < Math.min(ids.length, begin + 4) && isTrained(end) === isTrained(begin)) {
      end++
    }
    tokens.push({
      eos: end === begin + 1 && ids[begin] === tokenizer.eosId,
      ids: [...ids.subarray(begin, end)],
      text: text(),
      trained: isTrained(begin),
    })
    begin = end
  }
  const supervised = labels.reduce((sum, _, position) => sum + (isTrained(position) ? 1 : 0), 0)
  return {length: ids.length, supervised, tokens, where}
}

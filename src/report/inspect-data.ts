/** What there is to know of data before a model is trained on them: `mambatune data inspect`. */
import {createHash} from 'node:crypto'

import {type DataSettings, type Dataset, type Example, ignoredLabel, type ReadFile} from '../data/dataset.js'
import {readDataset} from '../data/rows.js'
import {type StorePlace} from '../data/row-store.js'
import {type Tokenizer} from '../data/tokenizer.js'
import {type DataError, type Fault} from '../errors.js'

export interface DataInspection {
  readonly files: readonly ReadFile[]
  readonly format: string
  readonly loss_on: Dataset['lossOn']
  readonly notes: readonly string[]
  /** Without a model there are no tokens to count. */
  readonly unit: 'tokens' | 'characters'
  /** Without those that are faulty */
  readonly rows: number
  readonly faulty_rows: number
  /** The first of them */
  readonly faults: readonly Fault[]
  readonly total: number
  readonly supervised: number
  readonly supervised_percent: number
  readonly lengths: LengthSummary
  readonly histogram: readonly LengthBin[]
  /** Rows that are equal to one before them */
  readonly duplicates: number
  readonly truncation: readonly Truncation[]
}

export interface LengthSummary {
  readonly shortest: number
  readonly median: number
  readonly mean: number
  readonly percentile_95: number
  readonly longest: number
}

export interface LengthBin {
  readonly from: number
  /** Included */
  readonly to: number
  readonly rows: number
}

/** What data.max_length would cut off. */
export interface Truncation {
  readonly max_length: number
  readonly rows: number
  readonly rows_percent: number
  readonly cut_percent: number
}

/** Stands for a tokenizer where none is given: lengths are then in UTF-16 code units. */
const CHARACTERS: Tokenizer = {
  decode: (ids) => String.fromCharCode(...ids),
  encode: (text) => Array.from({length: text.length}, (_, index) => text.charCodeAt(index)),
  eosId: null,
  vocabularySize: 2 ** 31,
}

const LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192]

/** Faulty rows are counted and told, not thrown, unless there are no others. */
export async function inspectData(
  files: readonly string[],
  tokenizer: Tokenizer | null,
  settings: Omit<DataSettings, 'appendEos' | 'maxLength' | 'overflow'>,
  store?: StorePlace,
): Promise<DataInspection> {
  let error: DataError | null = null
  const onFaults = (found: DataError): void => void (error = found)
  const appendEos = tokenizer !== null && tokenizer.eosId !== null
  const all = {...settings, appendEos, maxLength: 2 ** 31 - 1}
  const dataset = await readDataset(files, tokenizer ?? CHARACTERS, all, {onFaults, ...(store && {store})})
  const isTokens = tokenizer !== null || dataset.format === 'tokens'
  return {
    ...factsOf(dataset),
    ...faultsOf(error),
    ...measured(dataset.examples, isTokens),
    unit: isTokens ? 'tokens' : 'characters',
  }
}

function factsOf({
  files,
  format,
  lossOn,
  notes,
}: Dataset): Pick<DataInspection, 'files' | 'format' | 'loss_on' | 'notes'> {
  return {files, format, loss_on: lossOn, notes}
}

function faultsOf(error: DataError | null): Pick<DataInspection, 'faulty_rows' | 'faults'> {
  const count = /: (\d+) fault/.exec(error?.message ?? '')?.[1]
  return {faults: error?.faults ?? [], faulty_rows: Number(count ?? 0)}
}

type Measured = Omit<DataInspection, 'faulty_rows' | 'faults' | 'files' | 'format' | 'loss_on' | 'notes' | 'unit'>

/** Keeps two numbers for each row, and the rows themselves only one at a time. */
function measured(examples: readonly Example[], isTokens: boolean): Measured {
  const lengths = new Float64Array(examples.length)
  const hashes = new BigUint64Array(examples.length)
  let [total, supervised, row] = [0, 0, 0]
  for (const {ids, labels} of examples) {
    lengths[row] = ids.length
    hashes[row++] = createHash('sha1').update(ids).update(labels).digest().readBigUInt64LE()
    total += ids.length
    for (let position = 1; position < labels.length; position++) if (labels[position] !== ignoredLabel) supervised++
  }
  lengths.sort()
  hashes.sort()
  let duplicates = 0
  for (let index = 1; index < hashes.length; index++) if (hashes[index] === hashes[index - 1]) duplicates++
  return {
    duplicates,
    histogram: histogramOf(lengths),
    lengths: summaryOf(lengths, total),
    rows: lengths.length,
    supervised,
    supervised_percent: (100 * supervised) / total,
    total,
    truncation: isTokens ? LENGTHS.map((length) => truncationAt(length, lengths, total)) : [],
  }
}

function summaryOf(sorted: Float64Array, total: number): LengthSummary {
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return {
    longest: sorted[sorted.length - 1],
    mean: total / sorted.length,
    median: at(0.5),
    percentile_95: at(0.95),
    shortest: sorted[0],
  }
}

/** Bins whose ends are powers of two, without empty ones before the first row and after the last. */
function histogramOf(sorted: Float64Array): LengthBin[] {
  const bins: LengthBin[] = []
  let next = 0
  for (let to = 2 ** Math.ceil(Math.log2(Math.max(1, sorted[0]))); next < sorted.length; to *= 2) {
    const first = next
    while (next < sorted.length && sorted[next] <= to) next++
    bins.push({from: Math.floor(to / 2) + 1, rows: next - first, to})
  }
  return bins
}

function truncationAt(length: number, sorted: Float64Array, total: number): Truncation {
  const longer = sorted.filter((own) => own > length)
  const cut = longer.reduce((sum, own) => sum + own - length, 0)
  return {
    cut_percent: (100 * cut) / total,
    max_length: length,
    rows: longer.length,
    rows_percent: (100 * longer.length) / sorted.length,
  }
}

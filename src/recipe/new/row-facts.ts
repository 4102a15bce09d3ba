/** What the rows of a data set say about a new recipe: how long sequences should be, and how many go into a batch. */
import {type RowFormat} from '../../data/dataset.js'
import {heldOutCount} from '../../data/held-out.js'

export interface RowFacts {
  readonly format: RowFormat
  /** Plain text files, which are divided into pieces */
  readonly isPlainText: boolean
  /** Without those that are held out */
  readonly rows: number
  /** Rows that are held out of training; 0 where others are validated with, or none */
  readonly heldOut: number
  /** Tokens */
  readonly longest: number
  readonly percentile95: number
  readonly total: number
  /** Tokens of the validation rows; null: nothing is evaluated */
  readonly validation: number | null
}

export interface Reasoned {
  readonly value: number
  readonly why: string
}

/** The facts when a share of the rows is held out; their tokens are taken to be as many as those of others. */
export function withHeldOut(facts: RowFacts, share: number): RowFacts {
  const heldOut = heldOutCount(facts.rows, share)
  const validation = Math.round((facts.total * heldOut) / facts.rows)
  return {...facts, heldOut, rows: facts.rows - heldOut, total: facts.total - validation, validation}
}

type Kind = 'cpu' | 'gpu' | 'tensorflow'

/** Tokens. Beyond it a step on this kind of device takes long or much memory. */
const LONGEST: Readonly<Record<Kind, number>> = {cpu: 1024, gpu: 2048, tensorflow: 1024}
const PIECE: Readonly<Record<Kind, number>> = {cpu: 128, gpu: 512, tensorflow: 128}
const GRAIN = 32

/** '1,345' */
export const counted = (count: number): string => count.toLocaleString('en-US')

/** data.max_length */
export function rowLength({isPlainText, longest, percentile95}: RowFacts, device: Kind): Reasoned {
  if (isPlainText) return {value: PIECE[device], why: 'tokens; plain text is divided into pieces of this length'}
  const round = (length: number): number => Math.max(GRAIN, GRAIN * Math.ceil(length / GRAIN))
  if (round(longest) <= LONGEST[device]) {
    return {value: round(longest), why: `tokens; the longest row has ${counted(longest)}, so nothing is cut`}
  }
  const most = round(percentile95)
  if (most <= LONGEST[device]) {
    return {value: most, why: `tokens; 95 % of the rows are not longer, the longest has ${counted(longest)}`}
  }
  return {value: LONGEST[device], why: `tokens; rows have up to ${counted(longest)}, and longer steps take more memory`}
}

const BATCH = 8

/** train.batch_size */
export function batchSize({isPlainText, rows}: RowFacts): Reasoned {
  if (!isPlainText && rows < BATCH) return {value: rows, why: 'rows: all that there are'}
  return {value: BATCH, why: 'rows; small enough for any machine, and steadier than one at a time'}
}

/** Sequences of an epoch: rows, or pieces of plain text. */
export function sequencesOf({isPlainText, rows, total}: RowFacts, length: number): number {
  return isPlainText ? Math.max(1, Math.ceil(total / length)) : rows
}

/** Of a batch: rows are padded to the longest of them, which is one of the longer ones of all. */
export function paddedLength({isPlainText, percentile95}: RowFacts, length: number): number {
  return isPlainText ? length : Math.min(length, percentile95)
}

/** What a forward pass alone costs of a step. */
export const FORWARD_SHARE = 1 / 3

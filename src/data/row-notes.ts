/** What was done to the rows of a dataset, counted, in sentences for the user. */
import {type DataSettings, type Overflow, type RowFormat, type SupervisedPart} from './dataset.js'
import {lossWords} from './supervision.js'

export interface RowCounts {
  rows: number
  /** Longer than maxLength, and the longest of them */
  tooLong: number
  longest: number
  /** Pieces of split rows that had nothing to learn from and were left out */
  emptyPieces: number
  /** Rows in which a token spans the beginning of a trained part */
  sharedBorders: number
  /** Rows of ids whose labels were passed over because the loss is on all tokens */
  unusedLabels: number
}

export interface Decided {
  readonly settings: DataSettings
  readonly format: RowFormat
  readonly lossOn: SupervisedPart
}

const DONE: Readonly<Record<Exclude<Overflow, 'error'>, string>> = {
  truncate_right: 'cut on the right to',
  truncate_left: 'cut on the left to',
  drop: 'left out because they are longer than',
  split: 'split into pieces of',
}

export function rowNotes(counts: RowCounts, {format, lossOn, settings}: Decided): string[] {
  const {emptyPieces, longest, rows, sharedBorders, tooLong, unusedLabels} = counts
  const {maxLength, overflow = 'truncate_right'} = settings
  const notes = [`The loss is on ${lossWords(lossOn, format)}.`]
  if (tooLong > 0 && overflow !== 'error') {
    const which = `${tooLong} of ${rows} (the longest has ${longest} tokens)`
    notes.push(`Rows ${DONE[overflow]} max_length ${maxLength}: ${which}.`)
  }

  if (emptyPieces > 0) notes.push(`Pieces of split rows left out because nothing in them is trained: ${emptyPieces}.`)
  if (sharedBorders > 0) {
    const what =
      format === 'prompt_completion'
        ? 'a token spans the end of the prompt and the start of the completion, and counts as completion'
        : 'a token spans the beginning of a trained part, and is trained'
    notes.push(`Rows in which ${what}: ${sharedBorders} of ${rows}.`)
  }

  if (unusedLabels > 0) notes.push(`Rows whose labels are not used, because data.loss_on is all: ${unusedLabels}.`)
  return notes
}

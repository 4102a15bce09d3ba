/** What becomes of a row that is longer than data.max_length. */
import {ignoredLabel, type Overflow} from './dataset.js'

export interface Labelled {
  readonly ids: Int32Array
  readonly labels: Int32Array
}

/** Anything after the first token that is learnt from: the label of position 0 never counts. */
export function isSupervised(labels: Int32Array): boolean {
  return labels.some((label, position) => position > 0 && label !== ignoredLabel)
}

/** The pieces of a row that is too long: one if it is cut, several if it is split, none if it is dropped. */
export function piecesOf(row: Labelled, maxLength: number, overflow: Exclude<Overflow, 'error'>): Labelled[] {
  const {length} = row.ids
  switch (overflow) {
    case 'truncate_right':
      return [pieceOf(row, 0, maxLength)]
    case 'truncate_left':
      return [pieceOf(row, length - maxLength, length)]
    case 'drop':
      return []
    case 'split':
      return pieceBorders(length, maxLength).map(([begin, end]) => pieceOf(row, begin, end))
  }
}

/**
 * Consecutive pieces of maxLength. A single token left over would have nothing to be predicted from, so the piece before it gives
 * one up.
 */
export function pieceBorders(length: number, maxLength: number): [begin: number, end: number][] {
  const borders: [number, number][] = []
  for (let begin = 0; begin < length;) {
    const leavesOne = length - begin === maxLength + 1
    const end = Math.min(length, begin + (leavesOne && maxLength > 2 ? maxLength - 1 : maxLength))
    borders.push([begin, end])
    begin = end
  }
  return borders
}

function pieceOf({ids, labels}: Labelled, begin: number, end: number): Labelled {
  return {ids: ids.slice(begin, end), labels: labels.slice(begin, end)}
}

/**
 * Examples longer than a row, in pieces. A row of a batch is a stream of examples, one behind the other: each step reads the
 * next piece of every stream, and a piece that goes on with its example begins with the state that the piece before it left.
 *
 * The last token of a piece is predicted from the piece, so its label is the first of the next one; and the last token of an
 * example is never read, because nothing is predicted from it. Examples are dealt to streams once, the longest first to the
 * stream with the fewest pieces (Graham 1969); epochs differ in the order within streams, so all have the same number of
 * steps.
 *
 * Examples may lie in a file (row-store.ts): all are read once, for lengths and numbers of labels, which are kept; then each
 * stream holds the one that it is at.
 */
import {type Batch, shuffled} from './batches.js'
import {type Example, ignoredLabel} from './dataset.js'
import {RandomStream} from './random.js'

export interface CarriedSettings {
  /** Streams, at most: rows of a batch */
  readonly rows: number
  /** Tokens of a piece */
  readonly length: number
  readonly seed: number
  readonly shuffle: boolean
}

/** Positions [from, to) of an example. */
export interface Piece {
  readonly example: Example
  readonly from: number
  readonly to: number
}

/** The same by the number of the example. */
export interface PiecePlace {
  readonly index: number
  readonly from: number
  readonly to: number
}

export interface CarriedRows {
  /** Batches of an epoch */
  readonly batches: number
  readonly rows: number
  /** All pieces of an epoch, in the order of the examples */
  readonly pieces: readonly PiecePlace[]
  /** Supervised tokens of each of them */
  readonly supervised: readonly number[]
  /** One piece of each stream, or null where a stream has ended. */
  readonly at: (epoch: number, batch: number) => readonly (Piece | null)[]
  /** The same, not read. */
  readonly placesAt: (epoch: number, batch: number) => readonly (PiecePlace | null)[]
}

export function carriedRows(examples: readonly Example[], settings: CarriedSettings): CarriedRows {
  const {byExample, supervised} = countPieces(examples, settings.length)
  const streams = deal(
    byExample.map(({length}) => length),
    Math.min(settings.rows, examples.length),
  )
  let known: {readonly epoch: number; readonly streams: readonly (readonly PiecePlace[])[]} | null = null
  const inOrder = (epoch: number): readonly (readonly PiecePlace[])[] => {
    if (known?.epoch !== epoch) {
      known = {
        epoch,
        streams: streams.map((stream, row) =>
          ordered(stream, row, epoch, settings).flatMap((index) => byExample[index]),
        ),
      }
    }

    return known.streams
  }

  const placesAt: CarriedRows['placesAt'] = (epoch, batch) => inOrder(epoch).map((stream) => stream[batch] ?? null)
  const held = new HeldExamples(examples)
  return {
    at: (epoch, batch) => placesAt(epoch, batch).map((place, row) => place && held.read(place, row)),
    batches: Math.max(0, ...inOrder(0).map(({length}) => length)),
    pieces: byExample.flat(),
    placesAt,
    rows: streams.length,
    supervised,
  }
}

interface Counted {
  readonly byExample: readonly (readonly PiecePlace[])[]
  /** Of each piece */
  readonly supervised: readonly number[]
}

/** Reads every example once, one after another. */
function countPieces(examples: readonly Example[], length: number): Counted {
  const supervised: number[] = []
  const byExample: PiecePlace[][] = []
  for (let index = 0; index < examples.length; index++) {
    const example = examples[index]
    const places = placesIn(index, example.ids.length, length)
    byExample.push(places)
    for (const {from, to} of places) supervised.push(supervisedIn({example, from, to}))
  }

  return {byExample, supervised}
}

/** The example that each stream is at. */
class HeldExamples {
  private readonly held: {readonly index: number; readonly example: Example}[] = []

  constructor(private readonly examples: readonly Example[]) {}

  read({from, index, to}: PiecePlace, row: number): Piece {
    if (this.held.at(row)?.index !== index) {
      this.held[row] = {example: this.examples[index], index}
    }

    return {example: this.held[row].example, from, to}
  }
}

export function collateCarried(pieces: readonly (Piece | null)[]): Batch {
  const [rows, length] = [pieces.length, Math.max(...pieces.map((piece) => (piece ? piece.to - piece.from : 0)))]
  const ids = new Int32Array(rows * length)
  const labels = new Int32Array(rows * length).fill(ignoredLabel)
  for (const [row, piece] of pieces.entries()) {
    if (!piece) continue
    ids.set(piece.example.ids.subarray(piece.from, piece.to), row * length)
    labels.set(piece.example.labels.subarray(piece.from + 1, piece.to + 1), row * length)
  }

  return {
    ids,
    labels,
    continues: Float32Array.from(pieces, (piece) => (piece !== null && piece.from > 0 ? 1 : 0)),
    rows,
    length,
    tokens: pieces.reduce((sum, piece) => sum + (piece ? piece.to - piece.from : 0), 0),
    supervisedTokens: labels.reduce((sum, label) => sum + (label === ignoredLabel ? 0 : 1), 0),
  }
}

const supervisedIn = ({example, from, to}: Piece): number =>
  example.labels.subarray(from + 1, to + 1).reduce((sum, label) => sum + (label === ignoredLabel ? 0 : 1), 0)

function placesIn(index: number, tokens: number, length: number): PiecePlace[] {
  const end = tokens - 1
  const count = Math.max(1, Math.ceil(end / length))
  return Array.from({length: count}, (_, piece) => ({
    from: piece * length,
    index,
    to: Math.min((piece + 1) * length, end),
  }))
}

/** The examples of each stream, by index, in the order of the examples. */
function deal(counts: readonly number[], rows: number): number[][] {
  const streams = Array.from({length: rows}, () => ({examples: [] as number[], pieces: 0}))
  const longestFirst = Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b)
  for (const index of longestFirst) {
    const shortest = streams.reduce((least, stream) => (stream.pieces < least.pieces ? stream : least))
    shortest.examples.push(index)
    shortest.pieces += counts[index]
  }

  return streams.map(({examples}) => examples.sort((a, b) => a - b))
}

function ordered(stream: readonly number[], row: number, epoch: number, settings: CarriedSettings): number[] {
  if (!settings.shuffle) return [...stream]
  const order = shuffled(stream.length, new RandomStream(settings.seed, 'carried', epoch, row))
  return Array.from(order, (place) => stream[place])
}

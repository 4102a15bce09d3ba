/**
 * Examples side by side in one rectangle, and the order in which an epoch visits them.
 * Rows are padded on the right, which a causal model cannot see, and padding is told by length, never by token id: the padding id is often
 * the id of EOS, and an EOS must stay trainable. Labels are shifted here, so position t of a batch holds the target of position t.
 */
import {type Example, ignoredLabel} from './dataset.js'
import {RandomStream} from './random.js'

export interface Batch {
  /** (rows, length), row-major, 0 where padded. */
  readonly ids: Int32Array
  /** (rows, length): the token that follows each position; -100 where that is ignored, padding, or past the end. */
  readonly labels: Int32Array
  /** (rows, length): steps since the example began that a position belongs to; absent where every row is one example. */
  readonly positions?: Int32Array
  /** (rows): 1 where a row goes on with what was in the same row of the batch before; absent where none does. */
  readonly continues?: Float32Array
  readonly rows: number
  readonly length: number
  /** Ids that are not padding. */
  readonly tokens: number
  /** Labels that are not -100. */
  readonly supervisedTokens: number
}

export function collate(examples: readonly Example[]): Batch {
  const rows = examples.length
  const length = examples.reduce((longest, example) => Math.max(longest, example.ids.length), 0)
  const ids = new Int32Array(rows * length)
  const labels = new Int32Array(rows * length).fill(ignoredLabel)
  for (const [row, example] of examples.entries()) {
    ids.set(example.ids, row * length)
    labels.set(example.labels.subarray(1), row * length)
  }

  return {
    ids,
    labels,
    rows,
    length,
    tokens: examples.reduce((sum, example) => sum + example.ids.length, 0),
    supervisedTokens: labels.reduce((count, label) => count + (label === ignoredLabel ? 0 : 1), 0),
  }
}

export interface OrderSettings {
  readonly seed: number
  readonly epoch: number
  readonly shuffle: boolean
}

/** Indices 0 … count-1 in the order of one epoch, which depends on seed, epoch and count alone. */
export function epochOrder(count: number, settings: OrderSettings): Int32Array {
  if (!settings.shuffle) return Int32Array.from({length: count}, (_, index) => index)
  return shuffled(count, new RandomStream(settings.seed, 'order', settings.epoch))
}

/** Indices 0 … count-1 in random order: a Fisher-Yates shuffle. */
export function shuffled(count: number, random: RandomStream): Int32Array {
  const order = Int32Array.from({length: count}, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random.uniform() * (last + 1))
    const moved = order[last]
    order[last] = order[other]
    order[other] = moved
  }

  return order
}

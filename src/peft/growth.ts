/**
 * Merges that make tensors larger. All entries of an adapter change the values first, in the shapes of the base; then the
 * entries that grow take their turn, the last one first: it stands outermost around the model, so that the others see what
 * it added.
 */
import {type MambaConfig} from '../model/config.js'

/** A checkpoint tensor that becomes larger. */
export interface GrownTensor {
  /** Afterwards */
  readonly shape: readonly number[]
  grow(values: Float32Array): Float32Array
}

export interface Growth {
  /** The model afterwards */
  readonly config: MambaConfig
  /** What config.json says of it: keys with their new values */
  readonly configKeys: Readonly<Record<string, number>>
  /** By checkpoint name */
  readonly tensors: ReadonlyMap<string, GrownTensor>
}

/** Rows that are put in before the row `at` of a matrix. */
export interface Insertion {
  readonly at: number
  readonly values: Float32Array
}

/** A matrix with rows of `width` numbers, as plain values, and the same with more rows; insertions come in order of `at`. */
export function withRows(matrix: Float32Array, width: number, insertions: readonly Insertion[]): Float32Array {
  const added = insertions.reduce((sum, {values}) => sum + values.length, 0)
  const result = new Float32Array(matrix.length + added)
  let from = 0
  let to = 0
  for (const {at, values} of insertions) {
    const before = matrix.subarray(from, at * width)
    result.set(before, to)
    result.set(values, to + before.length)
    from = at * width
    to += before.length + values.length
  }
  result.set(matrix.subarray(from), to)
  return result
}

/**
 * Sums of two large tensors that are computed only when something reads them in the ordinary way. A kernel that can read
 * two terms asks for these instead: so the sum of two gradients, which TensorFlow.js's tape makes, costs no pass of its own.
 * Until then the sum holds its terms' buffers.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type Allocation, type BufferPool} from './buffer-pool.js'
import {type Place, type Stored} from './stored.js'

/** Smaller sums are computed at once: a launch of them costs less than keeping their terms. */
export const FEWEST_NUMBERS = 2 ** 20

/** Computes a sum of two tensors at once. */
export type Add = (left: tf.TensorInfo, right: tf.TensorInfo) => tf.TensorInfo

/** Where tensors are: what is needed of it here. */
interface Tensors {
  readonly pool: BufferPool
  get(dataId: tf.DataId): Stored
  adopt(shape: readonly number[], dtype: tf.DataType, place: Place | null): tf.TensorInfo
  release(dataId: tf.DataId, force: boolean): boolean
  placeOf(stored: Stored): Place
}

export class LazySums {
  /** Sums that nothing has read, and where their terms are */
  private readonly unread = new Map<Stored, readonly Place[]>()

  constructor(private readonly tensors: Tensors) {}

  /** left + right, to be computed by `add`; null where that had better be done at once. */
  later(left: tf.TensorInfo, right: tf.TensorInfo, add: Add): tf.TensorInfo | null {
    const {shape} = left
    if (tf.util.sizeFromShape(shape) < FEWEST_NUMBERS || !tf.util.arraysEqual(shape, right.shape)) return null
    const [first, second] = [left, right].map(({dataId}) => this.tensors.get(dataId).place)
    if (!first || first.format === 'i32' || first.format !== second?.format) return null
    const terms = [first, second]
    for (const {allocation} of terms) allocation.holders++
    const sum = this.tensors.adopt(shape, 'float32', null)
    const stored = this.tensors.get(sum.dataId)
    stored.remade = {format: first.format, make: () => this.compute(stored, shape, add)}
    this.unread.set(stored, terms)
    return sum
  }

  /** The terms of a sum that is not computed yet, which belong to the caller; null for other tensors. */
  termsOf({dataId, shape}: tf.TensorInfo): tf.TensorInfo[] | null {
    const terms = this.unread.get(this.tensors.get(dataId))
    return terms ? terms.map((place) => this.view(shape, place)) : null
  }

  /** Gives back what a sum holds, if it is one that is not computed yet. */
  forget(stored: Stored): void {
    for (const {allocation} of this.unread.get(stored) ?? []) this.tensors.pool.release(allocation)
    this.unread.delete(stored)
  }

  /** Computes the sums that this buffer has a term of: it is about to change. */
  changing(allocation: Allocation): void {
    for (const [stored, terms] of [...this.unread]) {
      if (terms.some((term) => term.allocation === allocation)) this.tensors.placeOf(stored)
    }
  }

  /** Computes all sums. */
  settle(): void {
    for (const stored of [...this.unread.keys()]) this.tensors.placeOf(stored)
  }

  private compute(stored: Stored, shape: readonly number[], add: Add): tf.TensorInfo {
    const terms = (this.unread.get(stored) ?? []).map((place) => this.view(shape, place))
    try {
      const sum = add(terms[0], terms[1])
      this.forget(stored)
      stored.remade = null
      return sum
    } finally {
      for (const {dataId} of terms) this.tensors.release(dataId, true)
    }
  }

  private view(shape: readonly number[], place: Place): tf.TensorInfo {
    place.allocation.holders++
    return this.tensors.adopt(shape, 'float32', place)
  }
}

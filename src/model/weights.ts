/**
 * The frozen tensors of a model on the device. A matrix may be kept in both layouts (see ops/product.ts); whoever loads
 * the weights disposes of them.
 */
import * as tf from '@tensorflow/tfjs-core'
import {prefersTransposedCopies} from '../ops/product.js'
import {unrecorded} from '../ops/tape.js'

export interface Matrix {
  readonly weight: tf.Tensor2D // (out, in)
  readonly transposed: tf.Tensor2D | null // (in, out)
}

export class Weights {
  private readonly transposes = new Map<string, tf.Tensor2D>()
  private readonly derived = new Map<string, tf.Tensor>()

  constructor(private readonly tensors: ReadonlyMap<string, tf.Tensor>) {}

  /** Numbers in all; transposed copies are not counted. */
  get size(): number {
    return [...this.tensors.values()].reduce((sum, {size}) => sum + size, 0)
  }

  has(name: string): boolean {
    return this.tensors.has(name)
  }

  get(name: string): tf.Tensor {
    const tensor = this.tensors.get(name)
    if (!tensor) throw new Error(`the model has no tensor ${name}`)
    return tensor
  }

  matrix(name: string): Matrix {
    return {transposed: this.transposes.get(name) ?? null, weight: this.get(name) as tf.Tensor2D}
  }

  /**
   * What `derive` makes of a frozen tensor, computed once and kept; of a variable and of any other value it is computed
   * each time, so that gradients go through it.
   */
  derivedFrom<T extends tf.Tensor>(name: string, value: T, derive: (value: T) => T): T {
    if (value instanceof tf.Variable || value !== this.tensors.get(name)) return derive(value)
    let result = this.derived.get(name) as T | undefined
    if (!result) {
      result = unrecorded(() => tf.keep(derive(value)))
      this.derived.set(name, result)
    }
    return result
  }

  /** Keeps a transposed copy of these matrices where the device multiplies faster by it. They must not change after. */
  keepTransposed(names: Iterable<string>): void {
    if (!prefersTransposedCopies()) return
    for (const name of names) {
      this.transposes.set(name, tf.keep(tf.transpose<tf.Tensor2D>(this.get(name) as tf.Tensor2D)))
    }
  }

  dispose(): void {
    for (const kept of [this.tensors, this.transposes, this.derived]) {
      for (const tensor of kept.values()) tensor.dispose()
    }
    this.transposes.clear()
    this.derived.clear()
  }
}

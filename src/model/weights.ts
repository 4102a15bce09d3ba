/**
 * The frozen tensors of a model on the device. A matrix may be kept in both layouts (see ops/product.ts); whoever loads
 * the weights disposes of them.
 */
import * as tf from '@tensorflow/tfjs-core'
import {prefersTransposedCopies} from '../ops/product.js'

export interface Matrix {
  readonly weight: tf.Tensor2D // (out, in)
  readonly transposed: tf.Tensor2D | null // (in, out)
}

export class Weights {
  private readonly transposes = new Map<string, tf.Tensor2D>()

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

  /** Keeps a transposed copy of these matrices where the device multiplies faster by it. They must not change after. */
  keepTransposed(names: Iterable<string>): void {
    if (!prefersTransposedCopies()) return
    for (const name of names) {
      this.transposes.set(name, tf.keep(tf.transpose<tf.Tensor2D>(this.get(name) as tf.Tensor2D)))
    }
  }

  dispose(): void {
    for (const tensor of [...this.tensors.values(), ...this.transposes.values()]) tensor.dispose()
    this.transposes.clear()
  }
}

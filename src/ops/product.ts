/**
 * Matrix products that are quick on every backend. TensorFlow.js's WebAssembly matMul is about ten times slower when an
 * operand is flagged as transposed (2 instead of 25 GFLOP/s on one core), so there the operand is transposed first.
 */
import * as tf from '@tensorflow/tfjs-core'
import {launchKernel} from '../backend/kernel-host.js'
import {toTensors} from './operation.js'

/** Up to this rank our own product is faster than packing the wide operand for TensorFlow.js's. */
const NARROW = 64

/** True where a frozen matrix is worth keeping in both layouts. */
export function prefersTransposedCopies(): boolean {
  return tf.getBackend() === 'wasm'
}

/** a · bᵀ for a (M, K), b (N, K) → (M, N). */
export function timesTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return prefersTransposedCopies() ? tf.matMul(a, tf.transpose(b)) : tf.matMul(a, b, false, true)
}

/** Columns in a work item. */
const BLOCK = 32

/** aᵀ · b for a narrow a (M, R) and b (M, N) → (R, N). */
export function transposedTimes(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  if (!prefersTransposedCopies()) return tf.matMul(a, b, true, false)
  const [depth, rank] = a.shape
  if (rank > NARROW) return tf.matMul(tf.transpose(a), b)
  const columns = b.shape[1]
  const [out] = toTensors(
    launchKernel(tf.backend(), {
      inputs: [a, b],
      items: Math.ceil(columns / BLOCK),
      kernel: 'transposedProduct',
      numbers: [depth, rank, columns, BLOCK],
      outputs: [[rank, columns]],
      work: depth * rank * columns,
    }),
  )
  return out as tf.Tensor2D
}

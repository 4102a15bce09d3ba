/**
 * Matrix products that are quick on every backend. TensorFlow.js's WebAssembly matMul is about ten times slower when an
 * operand is flagged as transposed (2 instead of 25 GFLOP/s on one core), so there the operand is transposed first.
 */
import * as tf from '@tensorflow/tfjs-core'

/** True where a frozen matrix is worth keeping in both layouts. */
export function prefersTransposedCopies(): boolean {
  return tf.getBackend() === 'wasm'
}

/** a · bᵀ for a (M, K), b (N, K) → (M, N). */
export function timesTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return prefersTransposedCopies() ? tf.matMul(a, tf.transpose(b)) : tf.matMul(a, b, false, true)
}

/** aᵀ · b for a (M, K), b (M, N) → (K, N). Transposes a, so a is the narrower one. */
export function transposedTimes(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return prefersTransposedCopies() ? tf.matMul(tf.transpose(a), b) : tf.matMul(a, b, true, false)
}

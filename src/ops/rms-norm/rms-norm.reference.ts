/** The meaning of RMSNorm, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'

export function rmsNormReference<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, epsilon: number): T {
  const meanSquare = tf.mean(tf.square(x), -1, true) // (…, 1)
  return tf.mul(tf.div(x, tf.sqrt(tf.add(meanSquare, epsilon))), weight)
}

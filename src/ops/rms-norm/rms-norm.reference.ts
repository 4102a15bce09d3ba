/** The meaning of RMSNorm, alone and after an addition, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {type AddNormOutputs} from './add-rms-norm.js'

export function rmsNormReference<T extends tf.Tensor>(x: T, weight: tf.Tensor1D | null, epsilon: number): T {
  const meanSquare = tf.mean(tf.square(x), -1, true) // (…, 1)
  const normed: T = tf.div(x, tf.sqrt(tf.add(meanSquare, epsilon))) // (…, d)
  return weight ? tf.mul(normed, weight) : normed
}

export function addRmsNormReference<T extends tf.Tensor>(
  hidden: T,
  update: T,
  weight: tf.Tensor1D,
  epsilon: number,
): AddNormOutputs<T> {
  const sum: T = tf.add(hidden, update)
  return {normed: rmsNormReference(sum, weight, epsilon), sum}
}

/** The meaning of the adapted linear layer, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {type LinearInputs} from './adapted-linear.js'

export function adaptedLinearReference({bias, update, weight, x}: LinearInputs): tf.Tensor {
  const rows = (value: tf.Tensor): tf.Tensor2D => tf.reshape(value, [-1, weight.shape[1]])
  let y: tf.Tensor = tf.matMul(rows(x), weight, false, true) // (M, out)
  if (bias) y = tf.add(y, bias)
  if (update) {
    const inner = tf.matMul(rows(update.x ?? x), update.down, false, true) // (M, R)
    y = tf.add(y, tf.matMul(inner, update.up, false, true))
  }
  return tf.reshape(y, [...x.shape.slice(0, -1), weight.shape[0]])
}

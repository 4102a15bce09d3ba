/** The meaning of the causal convolution: causal-conv.ts's equation as a sum of shifted inputs, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {eachSequence} from '../sequences.reference.js'
import {type ConvInputs, type ConvOutputs} from './causal-conv.js'

export function causalConvReference({bias, positions, weight, window, x}: ConvInputs): ConvOutputs {
  if (positions) {
    return eachSequence(positions, {x}, window, (steps, before) =>
      causalConvReference({bias, weight, window: before, ...steps}),
    )
  }
  const [batch, length, channels] = x.shape
  const width = weight.shape[2]
  const before: tf.Tensor3D = window ?? tf.zeros([batch, width - 1, channels])
  const padded = tf.concat([before, x], 1) // (B, K−1+L, E)
  let sum: tf.Tensor3D = tf.zeros([batch, length, channels])
  for (let k = 0; k < width; k++) {
    const tap = tf.reshape(tf.slice3d(weight, [0, 0, k], [channels, 1, 1]), [channels]) // (E)
    sum = tf.add(sum, tf.mul(tf.slice3d(padded, [0, k, 0], [batch, length, channels]), tap))
  }
  if (bias) sum = tf.add(sum, bias)
  const last = tf.slice3d(padded, [0, length, 0], [batch, width - 1, channels]) // (B, K−1, E)
  return {last, y: tf.mul(sum, tf.sigmoid(sum))}
}

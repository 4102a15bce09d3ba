/** The meaning of the gated RMSNorm: gated-rms-norm.ts's equation in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {rmsNormReference} from '../rms-norm/rms-norm.reference.js'

export function gatedRmsNormReference<T extends tf.Tensor>(x: T, gate: T, weight: tf.Tensor1D, epsilon: number): T {
  return rmsNormReference(tf.mul<T>(x, tf.mul(gate, tf.sigmoid(gate))), weight, epsilon)
}

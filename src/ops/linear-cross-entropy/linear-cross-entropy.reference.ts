/** The meaning of head and loss, in TensorFlow.js operations. */
import * as tf from '@tensorflow/tfjs-core'
import {type HeadLossInputs} from './linear-cross-entropy.js'

export function linearCrossEntropyReference({hidden, inner, labels, up, weight}: HeadLossInputs): tf.Scalar {
  const plain = tf.matMul(hidden, weight, false, true) // (M, V)
  const logits = inner && up ? tf.add(plain, tf.matMul(inner, up, false, true)) : plain // (M, V)
  const logProbabilities = tf.logSoftmax(logits) // (M, V)
  const chosen = tf.oneHot(labels, weight.shape[0]) // (M, V), a row of zeros for a negative label
  return tf.neg(tf.sum<tf.Scalar>(tf.mul(logProbabilities, tf.cast(chosen, 'float32'))))
}

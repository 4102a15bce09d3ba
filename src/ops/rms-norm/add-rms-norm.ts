/**
 * An addition to the residual stream and the norm behind it:  sum = hidden + update,  normed = rmsNorm(sum).
 * On the GPU one shader does both, so the stream is read and written once between two layers; elsewhere they are two
 * operations.
 */
import * as tf from '@tensorflow/tfjs-core'
import {defineFusion} from '../operation.js'
import {addNormOnGpu} from './rms-norm.gpu.js'
import {rmsNorm} from './rms-norm.js'

export interface AddNormOutputs<T extends tf.Tensor> {
  readonly sum: T // (…, d)
  readonly normed: T // (…, d)
}

const addNorm = defineFusion({
  elsewhere({hidden, update, weight}, {epsilon}) {
    const sum = tf.add(hidden, update)
    return [sum, rmsNorm(sum, weight as tf.Tensor1D, epsilon as number)]
  },
  gpu: addNormOnGpu,
  name: 'MambaAddRmsNorm',
})

/** hidden (…, d), update (…, d), weight (d) → sum (…, d) and normed (…, d) */
export function addRmsNorm<T extends tf.Tensor>(
  hidden: T,
  update: T,
  weight: tf.Tensor1D,
  epsilon: number,
): AddNormOutputs<T> {
  const [sum, normed] = addNorm({hidden, update, weight}, {epsilon})
  return {normed: normed as T, sum: sum as T}
}

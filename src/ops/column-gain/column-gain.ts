/**
 * Columns times gains:  y[…, o] = g[o] z[…, o], with dZ = g ⊙ dY and dG[o] = Σ dY[…, o] z[…, o].
 *
 * It is what DoRA does to the result of a projection: Liu et al., arXiv 2402.09353, equation 5, read from the right. On the
 * processor the sum of columns is a product with a column of ones, because TensorFlow.js would transpose everything first.
 */
import * as tf from '@tensorflow/tfjs-core'
import {defineOperation} from '../operation.js'
import {transposedTimes} from '../product.js'
import {columnGainOnGpu} from './column-gain.gpu.js'

const gained = defineOperation({
  gradient([dy], {gain, z}) {
    return {
      gain() {
        const products = tf.reshape<tf.Rank.R2>(tf.mul(dy, z), [-1, gain.size]) // (M, out)
        return tf.reshape(transposedTimes(tf.ones([products.shape[0], 1]), products), [gain.size]) // (out)
      },
      z: () => tf.mul(dy, gain), // (…, out)
    }
  },
  gpu: columnGainOnGpu,
  name: 'MambaColumnGain',
  value: ({gain, z}) => tf.mul(z, gain),
})

/** z (…, out), gain (out) → (…, out) */
export function columnGain<T extends tf.Tensor>(z: T, gain: tf.Tensor1D): T {
  return gained({gain, z})[0] as T
}

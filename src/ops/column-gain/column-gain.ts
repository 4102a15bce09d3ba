/**
 * Columns times gains:  y[…, o] = g[o] z[…, o].
 *
 * TensorFlow.js's product with broadcasting, with a gradient of its own for g: dG[o] = Σ dY[…, o] z[…, o]. A sum along all
 * but the last axis would transpose the whole product first on the processor; there it is a product with a column of ones.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../backend/gpu/current.js'
import {transposedTimes} from '../product.js'

/** z (…, out), g (out) → (…, out) */
export function columnGain<T extends tf.Tensor>(z: T, gain: tf.Tensor1D): T {
  const columns = gain.size
  const product = tf.customGrad((...inputs: unknown[]) => {
    const [left, right, save] = inputs as [tf.Tensor, tf.Tensor1D, tf.GradSaveFunc]
    save([left, right])
    return {
      gradFunc(dy, saved) {
        const [values, factors] = saved
        const products = tf.reshape<tf.Rank.R2>(tf.mul(dy, values), [-1, columns]) // (M, out)
        return [tf.mul(dy, factors), columnSums(products)]
      },
      value: tf.mul(left, right),
    }
  })
  return product(z, gain) as T
}

/** (M, out) → (out) */
function columnSums(products: tf.Tensor2D): tf.Tensor1D {
  if (gpuHost()) return tf.sum(products, 0)
  return tf.reshape(transposedTimes(tf.ones([products.shape[0], 1]), products), [-1])
}

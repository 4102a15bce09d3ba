/** The embedding with low-rank updates of its table:  h = W[id] + Σ s B[id] A,  rows of W (V, d) and B (V, r) by token id. */
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {embedding} from '../ops/embedding/embedding.js'
import {type LowRankTerm} from './sites.js'

/** ids (B, L), table (V, d) → (B, L, d) */
export function embed(ids: tf.Tensor2D, table: tf.Tensor2D, terms: readonly LowRankTerm[]): tf.Tensor3D {
  return terms.reduce(
    (sum, {down, scale, up}) => {
      const inner = embedding(ids, up) // (B, L, r)
      const weight = tf.transpose<tf.Tensor2D>(tf.mul<tf.Tensor2D>(down, scale)) // (d, r)
      const update = adaptedLinear<tf.Tensor3D>({bias: null, update: null, weight, weightTransposed: null, x: inner}) // (B, L, d)
      return tf.add(sum, update)
    },
    embedding(ids, table),
  )
}

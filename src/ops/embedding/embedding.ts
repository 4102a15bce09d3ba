/** Rows of a table by token id. The gradient adds each position's row to its id's row, in order of position. */
import * as tf from '@tensorflow/tfjs-core'
import {gatherRows} from '../rows.js'
import {defineOperation} from '../operation.js'
import {embeddingOnGpu} from './embedding.gpu.js'

const lookUp = defineOperation({
  gradient([dy], {ids, weight}) {
    return {
      weight() {
        const [rows, columns] = weight.shape
        const values = dy.dataSync<'float32'>()
        const sums = new Float32Array(rows * (columns ?? 1))
        for (const [position, id] of ids.dataSync<'int32'>().entries()) {
          for (let i = 0; i < (columns ?? 1); i++) {
            sums[id * (columns ?? 1) + i] += values[position * (columns ?? 1) + i]
          }
        }
        return tf.tensor(sums, weight.shape) // (V, d)
      },
    }
  },
  gpu: embeddingOnGpu,
  name: 'MambaEmbedding',
  value: ({ids, weight}) => tf.reshape(gatherRows(weight, ids), [...ids.shape, weight.shape[1] ?? 1]),
})

/** ids (B, L) int32, weight (V, d) → (B, L, d). */
export function embedding(ids: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor3D {
  return lookUp({ids, weight})[0] as tf.Tensor3D
}

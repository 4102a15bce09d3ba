/** A quick look whether the GPU computes right at all: a product, exponentials, and a sum in workgroup memory. */
import * as tf from '@tensorflow/tfjs-core'

const SIZE = 64

/** What is wrong, or null. Runs on the current backend. */
export async function quickCheck(): Promise<string | null> {
  const values = Float32Array.from({length: SIZE * SIZE}, (_, index) => ((index * 37) % 101) / 64 - 0.75)
  const [product, total] = tf.tidy((): [tf.Tensor, tf.Tensor] => {
    const matrix = tf.tensor2d(values, [SIZE, SIZE])
    return [tf.matMul(matrix, matrix, false, true), tf.sum(tf.exp(matrix))]
  })
  const [products, [sum]] = await Promise.all([product.data(), total.data()])
  tf.dispose([product, total])
  const expected = values.reduce((all, value) => all + Math.exp(value), 0)
  if (!(Math.abs(sum - expected) < 1e-5 * expected)) return `a sum of exponentials is ${sum}, expected ${expected}`
  for (let i = 0; i < SIZE; i++) {
    let wanted = 0
    for (let k = 0; k < SIZE; k++) wanted += values[i * SIZE + k] * values[((i + 1) % SIZE) * SIZE + k]
    const found = products[i * SIZE + ((i + 1) % SIZE)]
    if (!(Math.abs(found - wanted) < 1e-4)) return `a product is ${found}, expected ${wanted}`
  }
  return null
}

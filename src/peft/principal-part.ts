/**
 * The largest singular values of a matrix on the device and their vectors, W ≈ U Σ Vᵀ, by subspace iteration from random
 * columns: Halko, Martinsson and Tropp, arXiv 0909.4061, algorithms 4.4 and 5.1. Products with W are the device's; what is
 * narrow is done in f64 here. The random columns come from a stream, so the same device gives the same bits again.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type Columns, combine, jacobiSvd, orthogonalise, type SingularTriples} from './small-svd.js'

/** Columns beside those that are wanted, and rounds: both as usual for flat spectra. */
const MORE_COLUMNS = 10
const ROUNDS = 8

/** The first `rank` triples of W (out, in). Waits for the device. */
export async function principalPart(weight: tf.Tensor2D, rank: number, random: RandomStream): Promise<SingularTriples> {
  const [rows, inputs] = weight.shape
  const width = Math.min(rank + MORE_COLUMNS, rows, inputs)
  const start = Array.from({length: width}, () => Float64Array.from({length: inputs}, () => random.normal()))
  let {q} = orthogonalise(await times(weight, start)) // (out, width)
  for (let round = 0; round < ROUNDS; round++) {
    const {q: right} = orthogonalise(await timesTransposed(weight, q)) // (in, width)
    ;({q} = orthogonalise(await times(weight, right)))
  }
  const {q: right, r} = orthogonalise(await timesTransposed(weight, q)) // Wᵀ Q = Q′ R
  const {u, v, values} = jacobiSvd(r) // so W ≈ Q (Q′ R)ᵀ = (Q V) Σ (Q′ U)ᵀ
  const first = (columns: Columns): Columns => columns.slice(0, rank)
  return {u: combine(q, first(v)), v: combine(right, first(u)), values: values.slice(0, rank)}
}

/** W times each column (in). */
function times(weight: tf.Tensor2D, columns: Columns): Promise<Float64Array[]> {
  return product(columns, (packed) => tf.matMul(packed, weight, false, true))
}

/** Wᵀ times each column (out). */
function timesTransposed(weight: tf.Tensor2D, columns: Columns): Promise<Float64Array[]> {
  return product(columns, (packed) => tf.matMul(packed, weight))
}

/** @param multiply of the columns as rows (width, ·) */
async function product(columns: Columns, multiply: (packed: tf.Tensor2D) => tf.Tensor): Promise<Float64Array[]> {
  const length = columns[0].length
  const packed = new Float32Array(columns.length * length)
  for (const [index, column] of columns.entries()) packed.set(column, index * length)
  const result = tf.tidy(() => multiply(tf.tensor2d(packed, [columns.length, length])))
  try {
    const values = await result.data<'float32'>() // waits for the device
    const out = values.length / columns.length
    return columns.map((_, index) => Float64Array.from(values.subarray(index * out, (index + 1) * out)))
  } finally {
    result.dispose()
  }
}

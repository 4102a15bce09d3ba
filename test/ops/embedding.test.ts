import {beforeEach, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {embedding} from '../../src/ops/embedding/embedding.js'
import {bitFaultsOf, faultsOf} from '../support/compare.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {type Call, evaluate, valuesOf} from '../support/evaluate.js'
import {type Named, normals} from '../support/values.js'

const lookUp: Call = ({ids, weight}) => ({y: embedding(ids as tf.Tensor2D, weight as tf.Tensor2D)})

/** The meaning: a product with the rows of the identity matrix. */
const product: Call = ({ids, weight}) => {
  const [words, columns] = weight.shape
  const chosen = tf.cast(tf.oneHot(tf.reshape(ids, [ids.size]), words), 'float32') // (B·L, V)
  return {y: tf.reshape(tf.matMul(chosen, weight as tf.Tensor2D), [...ids.shape, columns ?? 1])}
}

/** Every word but the last occurs where there are steps enough, most of them several times. */
function inputsOf(batch: number, length: number, words: number, columns: number): Named {
  const data = Int32Array.from({length: batch * length}, (_, index) => (index * index + 3) % Math.max(1, words - 1))
  return {ids: {data, shape: [batch, length]}, weight: normals('embedding')([words, columns])}
}

describe.each(BACKENDS)('the embedding on %s', (backend) => {
  beforeEach(() => useBackend(backend))

  test.each([
    [1, 1, 1, 1],
    [2, 7, 5, 3],
    [3, 64, 37, 11],
    [1, 129, 16, 32],
  ])('equals its meaning in value and gradient: batch %i, length %i, %i words of %i', async (...sizes) => {
    const inputs = inputsOf(...sizes)
    await useBackend('cpu')
    const expected = evaluate(product, inputs, ['weight'])
    await useBackend(backend)
    expect(faultsOf(evaluate(lookUp, inputs, ['weight']), expected)).toEqual({})
  })

  test('copies rows bit for bit, NaN only where a row has one', () => {
    const {ids, weight} = inputsOf(2, 9, 5, 3)
    const table = weight.data as Float32Array
    table[4] = Number.NaN
    const expected = Array.from(ids.data).flatMap((id) => [...table.subarray(id * 3, id * 3 + 3)])
    const {y} = valuesOf(lookUp, {ids, weight})
    expect([...y]).toEqual(expected)
    expect(y.filter(Number.isNaN).length).toBe(ids.data.filter((id) => id === 1).length)
  })

  test('passes a NaN on to the gradient of its row only, and unused rows get exactly zero', () => {
    const inputs = inputsOf(1, 6, 5, 2)
    const {dWeight} = evaluate(lookUp, inputs, ['weight'], (_, size) => {
      const cotangent = new Float32Array(size).fill(1)
      cotangent[0] = Number.NaN
      return cotangent
    })
    const first = 2 * inputs.ids.data[0]
    expect(Array.from(dWeight.keys()).filter((index) => Number.isNaN(dWeight[index]))).toEqual([first])
    expect([...dWeight.subarray(8)]).toEqual([0, 0])
  })

  test('gives the same bytes again', () => {
    const inputs = inputsOf(3, 64, 7, 11)
    expect(bitFaultsOf(evaluate(lookUp, inputs, ['weight']), evaluate(lookUp, inputs, ['weight']))).toEqual({})
  })

  test('does not notice steps that follow', () => {
    const inputs = inputsOf(1, 20, 7, 3)
    const padded = {...inputs, ids: {data: Int32Array.of(...inputs.ids.data, 0, 0, 6), shape: [1, 23]}}
    const cotangent = normals('of 20 steps')([60]).data
    const ofHead = (_: string, size: number): Float32Array =>
      Float32Array.from({length: size}, (__, index) => cotangent[index] ?? 0)
    const {dWeight, y} = evaluate(lookUp, padded, ['weight'], ofHead)
    expect(bitFaultsOf({dWeight, y: y.subarray(0, 60)}, evaluate(lookUp, inputs, ['weight'], ofHead))).toEqual({})
  })
})

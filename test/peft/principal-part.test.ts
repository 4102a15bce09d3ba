import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'
import {principalPart} from '../../src/peft/principal-part.js'
import {combine, jacobiSvd, orthogonalise} from '../../src/peft/small-svd.js'
import {difference, type Tolerance} from '../support/close.js'
import {useBackend} from '../support/device.js'

const F64: Tolerance = {absolute: 1e-13, relative: 1e-12}

function columns(name: string, count: number, length: number): Float64Array[] {
  const random = new RandomStream(1, name)
  return Array.from({length: count}, () => Float64Array.from({length}, () => random.normal()))
}

const gram = (list: readonly Float64Array[]): number[] =>
  list.flatMap((a) => list.map((b) => a.reduce((sum, value, i) => sum + value * b[i], 0)))

const identity = (size: number): number[] =>
  Array.from({length: size * size}, (_, at) => (at % (size + 1) === 0 ? 1 : 0))

describe('singular values of narrow matrices', () => {
  test('Q R is the matrix again, and Q orthonormal, however nearly its columns agree', () => {
    const list = columns('near', 6, 40)
    for (let i = 0; i < 40; i++) list[3][i] = list[1][i] + 1e-9 * list[3][i]
    const {q, r} = orthogonalise(list)
    expect(difference(gram(q), identity(6), F64)).toBeNull()
    for (const [index, column] of combine(q, r).entries()) expect(difference(column, list[index], F64)).toBeNull()
  })

  test('a column that depends on earlier ones gives zeros, not noise', () => {
    const [first, second] = columns('same', 2, 9)
    const {q, r} = orthogonalise([first, second, first.map((value, i) => 2 * value - second[i])])
    expect([...q[2]]).toEqual(new Array(9).fill(0))
    expect(r[2][2]).toBe(0)
  })

  test('U Σ Vᵀ is the matrix again, with orthonormal vectors and falling values', () => {
    const list = columns('square', 7, 7)
    const {u, v, values} = jacobiSvd(list)
    expect(difference(gram(u), identity(7), F64)).toBeNull()
    expect(difference(gram(v), identity(7), F64)).toBeNull()
    expect([...values]).toEqual([...values].sort((a, b) => b - a))
    const back = list.map((_, j) => list.map((__, i) => values.reduce((sum, s, k) => sum + s * u[k][i] * v[k][j], 0)))
    expect(
      difference(
        back.flat(),
        list.flatMap((column) => [...column]),
        F64,
      ),
    ).toBeNull()
  })
})

describe('the principal part of a matrix', () => {
  beforeAll(() => useBackend('wasm'))

  /** W with these singular values, and its vectors. */
  function known(rows: number, inputs: number, values: readonly number[]): {weight: Float32Array; u: Float64Array[]} {
    const {q: u} = orthogonalise(columns('u', values.length, rows))
    const {q: v} = orthogonalise(columns('v', values.length, inputs))
    const weight = Float32Array.from({length: rows * inputs}, (_, at) =>
      values.reduce((sum, value, k) => sum + value * u[k][Math.trunc(at / inputs)] * v[k][at % inputs], 0),
    )
    return {u, weight}
  }

  // A third of the values follow those that are wanted closely, as in trained weights.
  test.each([
    [120, 50],
    [50, 120],
    [12, 90],
  ])('of %i × %i has its largest values and their vectors', async (rows, inputs) => {
    const values = Array.from({length: Math.min(rows, inputs)}, (_, k) => 3 * 0.9 ** k)
    const {u: expectedU, weight} = known(rows, inputs, values)
    const tensor = tf.tensor2d(weight, [rows, inputs])
    const {u, v, values: found} = await principalPart(tensor, 5, new RandomStream(1, 'test'))
    tensor.dispose()
    expect(difference(found, values.slice(0, 5), {absolute: 0, relative: 1e-5})).toBeNull()
    expect(difference(gram(u), identity(5), F64)).toBeNull()
    expect(difference(gram(v), identity(5), F64)).toBeNull()
    for (const [k, vector] of u.entries()) {
      const along = Math.abs(vector.reduce((sum, value, i) => sum + value * expectedU[k][i], 0))
      expect(1 - along).toBeLessThan(1e-6)
    }
    expect(tf.memory().numTensors).toBe(0)
  })

  test('is the same bits for the same stream', async () => {
    const tensor = tf.tensor2d(known(30, 20, [3, 2, 1]).weight, [30, 20])
    const run = (): ReturnType<typeof principalPart> => principalPart(tensor, 2, new RandomStream(1, 'test'))
    expect(await run()).toEqual(await run())
    tensor.dispose()
  })
})

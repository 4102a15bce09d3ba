import {expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {embedding} from '../../src/ops/embedding/embedding.js'
import {gatherRowsOnGpu} from '../../src/ops/gather-rows.gpu.js'
import {gatherRows} from '../../src/ops/rows.js'
import {toTensors} from '../../src/ops/operation.js'
import {bitFaultsOf} from '../support/compare.js'
import {evaluate, valuesOf} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {type Tensors} from '../support/values.js'
import {coarseInputs, formatOf, inHalf} from './half.js'
import {lookUp, lookUpInputs} from './subjects.js'

/** Rows of the table by id, as the processor copies them. */
function expectedRows(inputs: ReturnType<typeof lookUpInputs>): Float32Array {
  const {ids, weight} = inputs
  const [, columns] = weight.shape
  return Float32Array.from(
    Array.from(ids.data).flatMap((id) => [...weight.data.subarray(id * columns, (id + 1) * columns)]),
  )
}

describeGpu('the embedding on the GPU', () => {
  test.each([3, 4, 8, 64])('copies rows of %i numbers bit for bit', async (columns) => {
    await useGpu()
    const inputs = lookUpInputs(9, 70, 257, columns)
    const {y} = await valuesOf(lookUp.call, inputs)
    expect(bitFaultsOf({y}, {y: expectedRows(inputs)})).toEqual({})
  })

  test.each([8, 64])('reads a table of f16 with %i columns, and gives f32', async (columns) => {
    await useGpu({precision: 'f16'})
    const inputs = coarseInputs(lookUpInputs(1, 9, 5, columns))
    let format: string | undefined
    const call = ({ids, weight}: Tensors): Tensors => {
      const y = embedding(ids as tf.Tensor2D, inHalf(weight) as tf.Tensor2D)
      format = formatOf(y)
      return {y}
    }
    expect(bitFaultsOf(await valuesOf(call, inputs), {y: expectedRows(inputs)})).toEqual({})
    expect(format).toBe('f32')
  })

  test('sums gradients that come in f16', async () => {
    await useGpu({precision: 'f16'})
    const inputs = lookUpInputs(1, 70, 5, 8)
    const cotangent = (_: string, size: number): Float32Array =>
      Float32Array.from({length: size}, (__, index) => (index % 17) / 16)
    const expected = await evaluate(lookUp.call, inputs, ['weight'], cotangent)
    // The gradient of a product with what is in f16 comes as the cotangent in f16.
    const call = ({ids, weight}: Tensors): Tensors => {
      const y = embedding(ids as tf.Tensor2D, weight as tf.Tensor2D)
      return {y: tf.customGrad((x) => ({gradFunc: (dy) => tf.reshape(inHalf(tf.reshape(dy, [70, 8])), [1, 70, 8]), value: tf.clone(x as tf.Tensor)}))(y)} // prettier-ignore
    }
    expect(bitFaultsOf(await evaluate(call, inputs, ['weight'], cotangent), expected)).toEqual({})
  })

  test('reaches words beyond the workgroups of one direction', async () => {
    await useGpu()
    const inputs = lookUpInputs(1, 300, 70_001, 1)
    const ids = {...inputs.ids, data: inputs.ids.data.map((id, index) => (index % 2 === 0 ? 70_000 : id))}
    const ones = (_: string, size: number): Float32Array => new Float32Array(size).fill(1)
    const {dWeight} = await evaluate(lookUp.call, {...inputs, ids}, ['weight'], ones)
    expect(dWeight[70_000]).toBe(150)
    expect(dWeight.reduce((sum, value) => sum + value)).toBe(300)
  })

  test('gives the same bits again', async () => {
    await useGpu()
    const inputs = lookUpInputs(9, 70, 5, 64)
    const run = (): ReturnType<typeof evaluate> => evaluate(lookUp.call, inputs, ['weight'])
    expect(bitFaultsOf(await run(), await run())).toEqual({})
  })
})

describeGpu('rows by index on the GPU', () => {
  test.each(['f32', 'f16'] as const)('of %s keep their format', async (format) => {
    await useGpu({precision: format})
    const {data} = coarseInputs(lookUpInputs(1, 1, 5, 8)).weight
    const rows = tf.tidy(() => {
      const table = tf.tensor(data, [5, 8])
      const taken = gatherRows(format === 'f16' ? inHalf(table) : table, tf.tensor1d([4, 0, 4], 'int32'))
      expect(formatOf(taken)).toBe(format)
      return taken
    })
    const row = (index: number): number[] => [...data.subarray(8 * index, 8 * index + 8)]
    expect([...(await rows.data())]).toEqual([...row(4), ...row(0), ...row(4)])
    rows.dispose()
  })

  test('can be a part of the indices; an index outside the table gives zeros', async () => {
    const host = await useGpu()
    const [rows] = tf.tidy(() => {
      const table = tf.tensor([1, 2, 3, 4], [4, 1])
      const indices = tf.tensor1d([0, 2, -1, 4, 1, 0], 'int32')
      return toTensors([gatherRowsOnGpu(host, {format: 'f32', from: 1, indices, rows: 4, table})])
    })
    expect([...(await rows.data())]).toEqual([3, 0, 0, 2])
    rows.dispose()
  })
})

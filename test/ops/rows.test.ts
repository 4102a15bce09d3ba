import {beforeEach, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {gatherRows, splitColumns} from '../../src/ops/rows.js'
import {bitFaultsOf} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {type Call, evaluate, randomCotangent, valuesOf} from '../support/evaluate.js'
import {type Named, normals} from '../support/values.js'

describe.each(EVERY_BACKEND)('rows on %s', (backend) => {
  beforeEach(() => useBackend(backend))

  test('are gathered bit for bit, in any order and number', async () => {
    const table = normals('table')([7, 5])
    const indices = Int32Array.from({length: 150}, (_, index) => (index * 5) % 7)
    const inputs: Named = {indices: {data: indices, shape: [150]}, table}
    const {rows} = await valuesOf((tensors) => ({rows: gatherRows(tensors.table, tensors.indices)}), inputs)
    const expected = Float32Array.from(
      Array.from(indices).flatMap((row) => [...table.data.subarray(5 * row, 5 * row + 5)]),
    )
    expect(bitFaultsOf({rows}, {rows: expected})).toEqual({})
  })

  describe.each([
    {shape: [1, 1, 3], widths: [1, 2]},
    {shape: [2, 33, 11], widths: [5, 1, 5]},
    {shape: [129, 37], widths: [16, 21]},
    {shape: [2, 12], widths: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]},
  ])('of shape $shape', ({shape, widths}) => {
    const inputs = {x: normals('rows')(shape)}
    const named = (parts: tf.Tensor[]): Record<string, tf.Tensor> =>
      Object.fromEntries(parts.map((part, index) => [`part${index}`, part]))
    const split: Call = ({x}) => named(splitColumns(x, widths))
    const meaning: Call = ({x}) => named(tf.split(x, widths, -1))

    test(`split into columns of ${widths.join()} bit for bit, in value and gradient`, async () => {
      expect(bitFaultsOf(await evaluate(split, inputs, ['x']), await evaluate(meaning, inputs, ['x']))).toEqual({})
    })

    test('have a gradient of zero for the columns that are not used', async () => {
      const {dX} = await evaluate((tensors) => ({part0: split(tensors).part0}), inputs, ['x'])
      const cotangent = randomCotangent('part0', (dX.length / shape[shape.length - 1]) * widths[0])
      const expected = dX.map((_, index) => {
        const [row, column] = [Math.floor(index / shape[shape.length - 1]), index % shape[shape.length - 1]]
        return column < widths[0] ? cotangent[row * widths[0] + column] : 0
      })
      expect(bitFaultsOf({dX}, {dX: expected})).toEqual({})
    })
  })
})

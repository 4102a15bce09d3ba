import {describe, expect, test} from '@jest/globals'
import {type tensor2d} from '@tensorflow/tfjs-core'
import {timesTransposed, transposedTimes} from '../../src/ops/product.js'
import {faultsOf} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {type Call, valuesOf} from '../support/evaluate.js'
import {type Named, normals, type Values} from '../support/values.js'

type Tensor2D = ReturnType<typeof tensor2d>

/** Element [i, k] of the left and [j, k] of the right operand, summed over k < depth. */
function sums(
  rows: number,
  columns: number,
  depth: number,
  left: (i: number, k: number) => number,
  right: (j: number, k: number) => number,
): Float64Array {
  return Float64Array.from({length: rows * columns}, (_, index) => {
    let sum = 0
    for (let k = 0; k < depth; k++) sum += left(Math.floor(index / columns), k) * right(index % columns, k)
    return sum
  })
}

const at = ({data, shape}: Values, row: number, column: number): number => data[row * shape[1] + column]

describe.each(EVERY_BACKEND)('products on %s', (backend) => {
  // Ranks up to 64 go through a kernel of our own, eight rows at a time.
  test.each([
    [1, 1, 1],
    [7, 3, 5],
    [129, 8, 37],
    [64, 19, 64],
    [33, 64, 11],
    [33, 65, 11],
  ])('aᵀ · b of depth %i, %i × %i, equals the sums in f64', async (depth, rank, columns) => {
    await useBackend(backend)
    const normal = normals('products')
    const inputs: Named = {a: normal([depth, rank]), b: normal([depth, columns])}
    const call: Call = ({a, b}) => ({product: transposedTimes(a as Tensor2D, b as Tensor2D)})
    const product = sums(
      rank,
      columns,
      depth,
      (i, k) => at(inputs.a, k, i),
      (j, k) => at(inputs.b, k, j),
    )
    expect(faultsOf(await valuesOf(call, inputs), {product})).toEqual({})
  })

  test.each([
    [1, 1, 1],
    [7, 3, 5],
    [64, 37, 129],
  ])('a · bᵀ, %i × %i of depth %i, equals the sums in f64', async (rows, columns, depth) => {
    await useBackend(backend)
    const normal = normals('products')
    const inputs: Named = {a: normal([rows, depth]), b: normal([columns, depth])}
    const call: Call = ({a, b}) => ({product: timesTransposed(a as Tensor2D, b as Tensor2D)})
    const product = sums(
      rows,
      columns,
      depth,
      (i, k) => at(inputs.a, i, k),
      (j, k) => at(inputs.b, j, k),
    )
    expect(faultsOf(await valuesOf(call, inputs), {product})).toEqual({})
  })
})

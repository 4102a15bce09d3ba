/**
 * Operands are eighths between −1 and 1, which f16 holds exactly, and whose products f32 adds exactly in any order. So
 * results have to equal the plain sums in every bit, in f16 too, where they are small.
 */
import {expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../../src/backend/gpu/gpu-backend.js'
import {toTensors} from '../../src/ops/operation.js'
import {logits, product, programOf, runPlan, sizesOf} from '../../src/ops/matrix-product/matrix-product.gpu.js'
import {planOf, tilePlan} from '../../src/ops/matrix-product/plan.js'
import {type Factor, type ProductSpec} from '../../src/ops/matrix-product/product-spec.js'
import {plainShapes, type ProductSizes} from '../../src/ops/matrix-product/shapes.js'
import {type Kind} from '../../src/ops/matrix-product/tile-program.js'
import {RandomStream} from '../../src/data/random.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'
import {filled, toTensor, type Values} from '../support/values.js'
import {inHalf} from './half.js'

interface Case extends ProductSizes {
  /** A factor of both sums, but not of the bias */
  readonly scale?: number
  /** Terms of the extension */
  readonly rank?: number
  readonly bias?: boolean
  /** Of left, right, left2, right2 and the result; f32 where nothing is said */
  readonly halves?: readonly ('left' | 'right' | 'left2' | 'right2' | 'y')[]
  /** Left and right are slices of wider matrices, from this column on */
  readonly from?: number
}

const ODD: readonly Case[] = [
  {k: 3, kind: 'NT', m: 1, n: 5},
  {bias: true, k: 37, kind: 'NT', m: 5, n: 11, rank: 3, scale: -2},
  {k: 1, kind: 'NT', m: 17, n: 1},
  {bias: true, k: 37, kind: 'NT', m: 67, n: 13, rank: 5},
  {k: 41, kind: 'NN', m: 35, n: 67, rank: 3, scale: 0.5},
  {k: 7, kind: 'NN', m: 1, n: 3},
  {k: 131, kind: 'TN', m: 3, n: 37},
  {k: 1, kind: 'TN', m: 21, n: 17},
]

const HALVES: readonly Case[] = [
  {bias: true, halves: ['left', 'right', 'y'], k: 40, kind: 'NT', m: 3, n: 24, rank: 16},
  {halves: ['right'], k: 72, kind: 'NT', m: 16, n: 45},
  {bias: true, halves: ['left', 'right', 'left2', 'right2', 'y'], k: 48, kind: 'NT', m: 70, n: 136, rank: 16},
  {halves: ['left', 'right', 'y'], k: 40, kind: 'NN', m: 70, n: 136, rank: 16},
  {halves: ['left'], k: 24, kind: 'NN', m: 33, n: 16},
  {halves: ['right'], k: 90, kind: 'TN', m: 16, n: 72},
  {halves: ['left', 'right'], k: 90, kind: 'TN', m: 72, n: 80},
]

const SLICES: readonly Case[] = [
  {from: 8, halves: ['left'], k: 24, kind: 'NT', m: 21, n: 40},
  {from: 4, k: 20, kind: 'NT', m: 2, n: 9},
  {from: 8, halves: ['left', 'right'], k: 50, kind: 'TN', m: 24, n: 16},
]

/** More terms than a part of a divided sum has at least */
const DIVIDED: readonly Case[] = [
  {bias: true, halves: ['left', 'right'], k: 1100, kind: 'NT', m: 19, n: 24, rank: 8, scale: 4},
  {k: 1037, kind: 'NN', m: 18, n: 5},
  {halves: ['right'], k: 2500, kind: 'TN', m: 16, n: 24},
  {k: 9000, kind: 'TN', m: 3, n: 5},
]

interface Matrix {
  readonly values: Values
  readonly factor: Factor
}

function eighths(name: string, rows: number, columns: number): Values {
  const random = new RandomStream(20_261_124, name)
  return filled([rows, columns], () => Math.floor(17 * random.uniform()) / 8 - 1)
}

/** A matrix on the GPU, if asked for as columns [from, from + columns) of a wider one. */
function matrix(
  host: GpuBackend,
  name: string,
  [rows, columns]: readonly [number, number],
  half: boolean,
  from = 0,
): Matrix {
  const values = eighths(name, rows, columns)
  const width = from === 0 ? columns : from + columns + 8
  const wide = eighths(`around ${name}`, rows, width)
  values.data.forEach((value, index) => {
    wide.data[Math.floor(index / columns) * width + from + (index % columns)] = value
  })
  const tensor = half ? inHalf(toTensor(wide)) : toTensor(wide)
  if (from === 0) return {factor: tensor, values}
  const [slice] = toTensors([host.columns(tensor, from, columns)])
  return {factor: {strided: true, tensor: slice}, values}
}

const stored = (kind: Kind, rows: number, columns: number, transposed: Kind): readonly [number, number] =>
  kind === transposed ? [columns, rows] : [rows, columns]

interface Made {
  readonly spec: ProductSpec
  readonly expected: Float64Array
}

function make(host: GpuBackend, {bias, from, halves = [], k, kind, m, n, rank, scale = 1}: Case): Made {
  const left = matrix(host, 'left', stored(kind, m, k, 'TN'), halves.includes('left'), from)
  const right = matrix(host, 'right', stored(kind, k, n, 'NT'), halves.includes('right'), kind === 'TN' ? from : 0)
  const expected = new Float64Array(m * n)
  addProduct(expected, {k, kind, m, n}, left.values, right.values)
  const spec: ProductSpec = {
    format: halves.includes('y') ? 'f16' : 'f32',
    kind,
    left: left.factor,
    right: right.factor,
    scale,
  }
  if (!rank) return {expected: expected.map((sum) => scale * sum), spec}
  const left2 = matrix(host, 'left2', [m, rank], halves.includes('left2'))
  const right2 = matrix(host, 'right2', stored(kind, rank, n, 'NT'), halves.includes('right2'))
  addProduct(expected, {k: rank, kind, m, n}, left2.values, right2.values)
  const extension = {left: left2.factor, right: right2.factor}
  if (!bias) return {expected: expected.map((sum) => scale * sum), spec: {...spec, extension}}
  const added = eighths('bias', 1, n)
  const whole = expected.map((sum, index) => scale * sum + added.data[index % n])
  return {expected: whole, spec: {...spec, bias: tf.tensor(added.data, [n]), extension}}
}

function addProduct(y: Float64Array, {k, kind, m, n}: ProductSizes, left: Values, right: Values): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let t = 0; t < k; t++) {
        const a = left.data[kind === 'TN' ? t * m + i : i * k + t]
        y[i * n + j] += a * right.data[kind === 'NT' ? j * k + t : t * n + j]
      }
    }
  }
}

async function valuesOf(work: () => tf.TensorInfo): Promise<number[]> {
  const result = tf.tidy(() => toTensors([work()])[0])
  const values = [...(await result.data())]
  result.dispose()
  return values
}

describeGpu('a matrix product', () => {
  test.each([...ODD, ...HALVES, ...SLICES, ...DIVIDED])('is the sum of products: %j', async (one) => {
    const host = await useGpu()
    await expectNoLeak(async () => {
      let expected: number[] = []
      const values = await valuesOf(() => {
        const made = make(host, one)
        expected = [...made.expected]
        return product(host, made.spec)
      })
      expect(values).toEqual(expected)
      return {}
    })
  })

  test.each([
    {k: 70, kind: 'NT', m: 140, n: 150, rank: 4},
    {halves: ['left', 'right'], k: 40, kind: 'NN', m: 130, n: 136},
    {k: 33, kind: 'TN', m: 132, n: 66},
  ] as const)('is the same in every tile: %j', async (one: Case) => {
    const host = await useGpu()
    for (const shape of plainShapes(one)) {
      let expected: number[] = []
      const values = await valuesOf(() => {
        const made = make(host, one)
        expected = [...made.expected]
        return runPlan(host, made.spec, one, tilePlan(programOf(host, made.spec), one, shape))
      })
      expect(values).toEqual(expected)
    }
  })

  test('takes rows from all axes but the last', async () => {
    const host = await useGpu()
    const x = eighths('x', 6, 8)
    const weight = eighths('weight', 5, 8)
    const expected = new Float64Array(30)
    addProduct(expected, {k: 8, kind: 'NT', m: 6, n: 5}, x, weight)
    const result = tf.tidy(() => {
      const info = logits(host, tf.tensor(x.data, [2, 3, 8]), toTensor(weight))
      return toTensors([info])[0]
    })
    expect(result.shape).toEqual([2, 3, 5])
    expect([...(await result.data())]).toEqual([...expected])
    result.dispose()
  })

  test('divides long sums only, and keeps a small result in one tile', async () => {
    const host = await useGpu()
    tf.tidy(() => {
      const partsOf = (one: Case): number => {
        const {spec} = make(host, one)
        return planOf(host, programOf(host, spec), sizesOf(spec)).parts.parts
      }
      expect(DIVIDED.map((one) => partsOf(one) > 1)).toEqual(DIVIDED.map(() => true))
      const short = ODD.filter(({k}) => k < 64)
      expect(short.map(partsOf)).toEqual(short.map(() => 1))
    })
  })
})

/**
 * Products with a matrix that no binding shows whole, W, kept in windows of rows [n0, n1):
 *
 *   NT  y = x Wᵀ     each window makes columns [n0, n1) of y, with those rows of an extension and of the bias
 *   NN  dX = dY W    each window makes a term of the sum, from columns [n0, n1) of dY; the sum is f32 until it is whole
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RowWindow, type ShaderHost} from '../../backend/gpu/launch.js'
import {toTensors} from '../operation.js'
import {columnsOf, type Factor, type PartOfResult, type ProductSpec, tensorOf} from './product-spec.js'
import {partsCount, partsGrid, sumParts} from './sum-parts.wgsl.js'

type Product = (host: ShaderHost, spec: ProductSpec) => tf.TensorInfo

export function productOfWindows(
  host: ShaderHost,
  spec: ProductSpec,
  windows: readonly RowWindow[],
  product: Product,
): tf.TensorInfo {
  if (spec.kind === 'TN') throw new Error('a matrix in windows of rows is a weight, which is no operand of TN')
  return spec.kind === 'NT' ? columnByColumn(host, spec, windows, product) : termByTerm(host, spec, windows, product)
}

function columnByColumn(
  host: ShaderHost,
  spec: ProductSpec,
  windows: readonly RowWindow[],
  product: Product,
): tf.TensorInfo {
  const {extension, right} = spec
  const [columns] = tensorOf(right).shape
  let y: tf.TensorInfo | null = null // (…, N)
  for (const {from, tensor} of windows) {
    const into: PartOfResult = {adds: false, columns, from, y}
    y = product(host, {
      ...spec,
      extension: extension && {left: extension.left, right: fromRow(extension.right, from)},
      into,
      right: tensor,
    })
  }
  return y as tf.TensorInfo
}

function fromRow(factor: Factor, row: number): Factor {
  const before = 'strided' in factor ? (factor.fromRow ?? 0) : 0
  return {fromRow: before + row, strided: true, tensor: tensorOf(factor)}
}

function termByTerm(
  host: ShaderHost,
  {bias, extension, format, ...spec}: ProductSpec,
  windows: readonly RowWindow[],
  product: Product,
): tf.TensorInfo {
  const columns = columnsOf(tensorOf(spec.right))
  let sum: tf.TensorInfo | null = null // (…, N)
  for (const {from, tensor} of windows) {
    const left = host.columns(tensorOf(spec.left), from, tensor.shape[0]) // (…, n1 − n0)
    sum = product(host, {
      ...spec,
      ...(sum === null && {bias, extension}),
      format: 'f32',
      into: {adds: sum !== null, columns, from: 0, y: sum},
      left: {strided: true, tensor: left},
      right: tensor,
    })
    tf.dispose(toTensors([left]))
  }
  return format === 'f32' ? (sum as tf.TensorInfo) : stored(host, sum as tf.TensorInfo, columns)
}

/** f32 → f16 */
function stored(host: ShaderHost, sum: tf.TensorInfo, columns: number): tf.TensorInfo {
  const program = {bias: false, columns, output: 'f16', parts: 1} as const
  const count = tf.util.sizeFromShape(sum.shape)
  const [y] = host.launch({
    grid: partsGrid(program, count),
    inputs: [sum],
    outputs: [{format: 'f16', shape: sum.shape}],
    shader: sumParts(program),
    whole: [partsCount(count, columns), 1],
  })
  tf.dispose(toTensors([sum]))
  return y
}

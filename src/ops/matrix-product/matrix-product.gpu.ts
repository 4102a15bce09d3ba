/** Matrix products on the GPU: one door to every version of the shader, chosen by sizes, formats and device. */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost, type StridedInput} from '../../backend/gpu/launch.js'
import {toTensors} from '../operation.js'
import {type Plan, planOf} from './plan.js'
import {type ProductSizes} from './shapes.js'
import {partsCount, partsGrid, sumParts} from './sum-parts.wgsl.js'
import {type FloatFormat, type Kind, type Program, type Stored} from './tile-program.js'

export type Factor = tf.TensorInfo | StridedInput

export interface ProductSpec {
  /** Which operands lie transposed: see tile-program.ts */
  readonly kind: Kind
  readonly left: Factor // (…, K); TN (…, M), its rows folded into K
  readonly right: Factor // NT (N, K), NN (K, N); TN (…, N)
  /** NT and NN: a second pair of operands whose product is added */
  readonly extension?: {readonly left: Factor; readonly right: Factor} | undefined // (…, R) and (N, R) or (R, N)
  readonly bias?: tf.TensorInfo | undefined // (N)
  /** A factor of the sums, not of the bias; 1 if left out */
  readonly scale?: number
  readonly format: FloatFormat
}

/** NT, NN: (…, N); TN: (M, N). */
export function product(host: ShaderHost, spec: ProductSpec): tf.TensorInfo {
  const sizes = sizesOf(spec)
  return runPlan(host, spec, sizes, planOf(host, programOf(host, spec), sizes))
}

/** y = x Wᵀ in f32 whatever the operands' formats: logits of a head. */
export function logits(
  host: ShaderHost,
  x: Factor,
  weight: tf.TensorInfo,
  extension?: ProductSpec['extension'],
): tf.TensorInfo {
  return product(host, {extension, format: 'f32', kind: 'NT', left: x, right: weight}) // (…, V)
}

const tensorOf = (factor: Factor): tf.TensorInfo => ('strided' in factor ? factor.tensor : factor)

const columnsOf = ({shape}: tf.TensorInfo): number => shape[shape.length - 1]

const rowsOf = (tensor: tf.TensorInfo): number => tensor.shape.slice(0, -1).reduce((size, axis) => size * axis, 1)

export function sizesOf({kind, left, right}: ProductSpec): ProductSizes {
  const [first, second] = [tensorOf(left), tensorOf(right)]
  if (kind === 'TN') return {k: rowsOf(first), kind, m: columnsOf(first), n: columnsOf(second)}
  return {k: columnsOf(first), kind, m: rowsOf(first), n: kind === 'NT' ? rowsOf(second) : columnsOf(second)}
}

function storedOf(host: ShaderHost, factor: Factor): Stored {
  const {offset, stride} = placeOf(host, factor)
  const format = host.formatOf(tensorOf(factor)) === 'f16' ? 'f16' : 'f32'
  const unit = format === 'f16' ? 8 : 4
  return {aligned: offset % unit === 0 && stride % unit === 0, format}
}

/** A factor that is not given as strided is contiguous by the time that the shader sees it. */
function placeOf(host: ShaderHost, factor: Factor): {readonly offset: number; readonly stride: number} {
  return 'strided' in factor ? host.rowsOf(factor.tensor) : {offset: 0, stride: columnsOf(factor)}
}

export function programOf(host: ShaderHost, spec: ProductSpec): Program {
  const {k, kind, m, n} = sizesOf(spec)
  const {bias, extension, format, left, right} = spec
  return {
    bias: bias !== undefined,
    columns: n,
    extension: extension
      ? {
          left: storedOf(host, extension.left),
          rank: columnsOf(tensorOf(extension.left)),
          right: storedOf(host, extension.right),
        }
      : null,
    fixed: kind === 'TN' ? m : k,
    kind,
    left: storedOf(host, left),
    output: format,
    right: storedOf(host, right),
  }
}

/** Carries out a plan; a divided sum takes a second launch. */
export function runPlan(host: ShaderHost, spec: ProductSpec, sizes: ProductSizes, plan: Plan): tf.TensorInfo {
  const {bias, extension, format, kind, left, right, scale = 1} = spec
  const {k, m, n} = sizes
  const {parts, span} = plan.parts
  const shape = kind === 'TN' ? [m, n] : [...tensorOf(left).shape.slice(0, -1), n]
  const factors = extension ? [left, right, extension.left, extension.right] : [left, right]
  const places = factors.flatMap((factor) => {
    const {offset, stride} = placeOf(host, factor)
    return [offset, stride]
  })
  const rank = extension ? columnsOf(tensorOf(extension.left)) : 0
  const [first] = host.launch({
    floats: [scale],
    detail: `${kind} ${m}×${n}×${k}${rank > 0 ? `+${rank}` : ''}`,
    grid: plan.grid,
    inputs: bias && parts === 1 ? [...factors, bias] : factors,
    operations: 2 * m * n * (k + rank),
    outputs: [parts === 1 ? {format, shape} : {format: 'f32', shape: [parts, m, n]}],
    shader: plan.shader,
    whole: [kind === 'TN' ? k : m, span, ...places],
  })
  if (parts === 1) return first
  const sum = {bias: bias !== undefined, columns: n, output: format, parts}
  const [whole] = host.launch({
    grid: partsGrid(sum, m * n),
    inputs: bias ? [first, bias] : [first],
    outputs: [{format, shape}],
    shader: sumParts(sum),
    whole: [partsCount(m * n, n), parts],
  })
  tf.dispose(toTensors([first]))
  return whole
}

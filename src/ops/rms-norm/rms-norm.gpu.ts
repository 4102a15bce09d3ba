/** RMSNorm on the GPU, alone and after an addition: what each launch of its shaders (rms-norm.wgsl.ts) reads and writes. */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost, type StridedInput} from '../../backend/gpu/launch.js'
import {flatGrid, type Format} from '../../backend/gpu/shader.js'
import {type GpuDefinition, type Inputs, toTensors} from '../operation.js'
import {WIDE} from '../wide.js'
import {normBackwardShader, normForwardShader, normGrid, normWeightShader, normWeightTerms} from './rms-norm.wgsl.js'
import {lanesOf} from './row-code.wgsl.js'

interface Rows {
  readonly rows: number
  readonly columns: number
  readonly read: StridedInput
  /** Rows, and where they begin: see row-code.wgsl.ts */
  readonly whole: readonly number[]
}

function rowsOf(x: tf.Tensor, host: ShaderHost): Rows {
  const columns = x.shape[x.rank - 1]
  const rows = x.size / columns
  const {offset, stride} = host.rowsOf(x)
  const lanes = lanesOf(columns)
  return {columns, read: {strided: true, tensor: x}, rows, whole: [rows, offset / lanes, stride / lanes]}
}

/**
 * normed, and the sum where there is an update. What has a weight is read by wide products and stored as these want it;
 * without one it is Δ, B and C, which stay f32.
 */
function forward(
  x: tf.Tensor,
  update: tf.Tensor | null,
  weight: tf.Tensor | null,
  epsilon: number,
  host: ShaderHost,
): tf.TensorInfo[] {
  const {columns, read, rows, whole} = rowsOf(x, host)
  const normed = weight && columns % 8 === 0 ? host.precision : 'f32'
  const {shape} = x
  return host.launch({
    floats: [epsilon],
    grid: normGrid(rows),
    inputs: [read, ...(weight ? [weight] : []), ...(update ? [update] : [])],
    outputs: [{format: normed, shape}, ...(update ? [{format: 'f32', shape} as const] : [])],
    shader: normForwardShader({
      columns,
      normed,
      update: update && host.formatOf(update),
      weight: weight !== null,
      x: host.formatOf(x),
    }),
    whole,
  })
}

interface Gradients {
  readonly x: tf.Tensor
  readonly weight: tf.Tensor | null
  readonly dNormed: tf.Tensor
  readonly dSum: tf.Tensor | null
  readonly epsilon: number
}

/** dX, stored as x is, and the same once more for an update that is `stored` otherwise */
function backward(
  {dNormed, dSum, epsilon, weight, x}: Gradients,
  stored: string | null,
  host: ShaderHost,
): tf.Tensor[] {
  const {columns, read, rows, whole} = rowsOf(x, host)
  const {shape} = x
  const dX = host.formatOf(x)
  const dUpdate = stored === null || stored === dX ? null : (stored as Format)
  return toTensors(
    host.launch({
      floats: [epsilon],
      grid: normGrid(rows),
      inputs: [read, ...(weight ? [weight] : []), dNormed, ...(dSum ? [dSum] : [])],
      outputs: [{format: dX, shape}, ...(dUpdate ? [{format: dUpdate, shape}] : [])],
      shader: normBackwardShader({
        columns,
        dNormed: host.formatOf(dNormed),
        dSum: dSum && host.formatOf(dSum),
        dUpdate,
        dX,
        weight: weight !== null,
        x: dX,
      }),
      whole,
    }),
  )
}

/** dWeight (d) */
function weightGradient({dNormed, epsilon, x}: Gradients, host: ShaderHost): tf.Tensor {
  const {columns, read, rows, whole} = rowsOf(x, host)
  const terms = normWeightTerms(rows)
  const [dWeight] = toTensors(
    host.launch({
      floats: [epsilon],
      grid: flatGrid(terms),
      inputs: [read, dNormed],
      outputs: [{format: 'f32', shape: [terms, columns]}],
      shader: normWeightShader(columns, host.formatOf(x), host.formatOf(dNormed)),
      whole,
    }),
  )
  return tf.sum(dWeight, 0)
}

export const normOnGpu: GpuDefinition = {
  gradient([dy], {x, ...rest}, {epsilon}, host) {
    const {weight = null} = rest as Partial<Inputs>
    const of = {dNormed: dy ?? tf.zerosLike(x), dSum: null, epsilon: epsilon as number, weight, x}
    return {
      weight: () => weightGradient(of, host), // (d)
      x: () => backward(of, null, host)[0], // (…, d)
    }
  },
  value({x, ...rest}, {settings: {epsilon}}, host) {
    const {weight = null} = rest as Partial<Inputs>
    return {outputs: forward(x, null, weight, epsilon as number, host)}
  },
}

export const addNormOnGpu: GpuDefinition = {
  gradient([dSum, dY], {weight}: Inputs, {epsilon}, host, [sum], {update}) {
    const of = {dNormed: dY ?? tf.zerosLike(sum), dSum, epsilon: epsilon as number, weight, x: sum}
    const [dHidden, dUpdate = dHidden] = backward(of, update, host)
    return {
      hidden: () => dHidden, // (…, d)
      update: () => dUpdate, // (…, d)
      weight: () => weightGradient(of, host), // (d)
    }
  },
  value({hidden, update, weight}, {recording, settings: {epsilon}}, host) {
    const [normed, sum] = forward(hidden, update, weight, epsilon as number, host)
    // One more holder of the sum, which is both an output and what the gradient needs.
    if (recording) tf.backend().incRef(sum.dataId)
    const notes = {update: host.formatOf(update)}
    return {notes, outputs: [sum, normed], saved: recording ? [sum] : []}
  },
  reads: () => ['weight'],
  // normed has d columns, and in_proj makes 4 d of them: see wide.ts.
  remade: ({hidden}) =>
    2 * hidden.shape[hidden.rank - 1] < WIDE
      ? null
      : {
          make: ({weight}, {epsilon}, host, [sum]) => forward(sum, null, weight, epsilon as number, host)[0],
          output: 1,
        },
}

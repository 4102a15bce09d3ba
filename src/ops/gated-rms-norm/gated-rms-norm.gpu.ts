/** The gated RMSNorm on the GPU: what each launch of its shaders (gated-rms-norm.wgsl.ts) reads and writes. */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost, type StridedInput} from '../../backend/gpu/launch.js'
import {flatGrid} from '../../backend/gpu/shader.js'
import {type GpuDefinition, type Inputs, toTensors} from '../operation.js'
import {lanesOf} from '../rms-norm/row-code.wgsl.js'
import {
  gatedNormBackwardShader,
  type GatedNormForm,
  gatedNormForwardShader,
  gatedNormWeightShader,
  gatedNormWeightTerms,
} from './gated-rms-norm.wgsl.js'

interface Plan {
  readonly form: GatedNormForm
  readonly rows: number
  /** How y, dX and dZ are stored */
  readonly stored: 'f16' | 'f32'
  readonly z: StridedInput
  readonly whole: readonly number[]
}

function planOf({weight, x, z}: Inputs, host: ShaderHost): Plan {
  const columns = weight.size
  const rows = x.size / columns
  const {offset, stride} = host.rowsOf(z)
  const lanes = lanesOf(columns)
  return {
    form: {columns, x: host.formatOf(x), z: host.formatOf(z)},
    rows,
    stored: columns % 8 === 0 ? host.precision : 'f32',
    whole: [rows, offset / lanes, stride / lanes],
    z: {strided: true, tensor: z},
  }
}

/** dX and dZ (…, E) */
function backward(dy: tf.Tensor, inputs: Inputs, epsilon: number, host: ShaderHost): tf.Tensor[] {
  const {form, rows, stored, whole, z} = planOf(inputs, host)
  const {weight, x} = inputs
  const change = {format: stored, shape: x.shape}
  return toTensors(
    host.launch({
      floats: [epsilon],
      grid: flatGrid(rows),
      inputs: [x, z, weight, dy],
      outputs: [change, {...change, beside: inputs.z}],
      shader: gatedNormBackwardShader({...form, dy: host.formatOf(dy), stored}),
      whole,
    }),
  )
}

/** dWeight (E) */
function weightGradient(dy: tf.Tensor, inputs: Inputs, epsilon: number, host: ShaderHost): tf.Tensor {
  const {form, rows, whole, z} = planOf(inputs, host)
  const terms = gatedNormWeightTerms(rows)
  const [dWeight] = toTensors(
    host.launch({
      floats: [epsilon],
      grid: flatGrid(terms),
      inputs: [inputs.x, z, dy],
      outputs: [{format: 'f32', shape: [terms, form.columns]}],
      shader: gatedNormWeightShader(form, host.formatOf(dy)),
      whole,
    }),
  )
  return tf.sum(dWeight, 0)
}

/** Inputs x, z and weight; setting epsilon. */
export const gatedNormOnGpu: GpuDefinition = {
  gradient([dY], inputs, {epsilon}, host) {
    const dy = dY ?? tf.zerosLike(inputs.x) // (…, E)
    const [dX, dZ] = backward(dy, inputs, Number(epsilon), host)
    return {
      weight: () => weightGradient(dy, inputs, Number(epsilon), host), // (E)
      x: () => dX, // (…, E)
      z: () => dZ, // (…, E)
    }
  },
  value(inputs, {settings: {epsilon}}, host) {
    const {form, rows, stored, whole, z} = planOf(inputs, host)
    const {weight, x} = inputs
    return {
      outputs: host.launch({
        floats: [Number(epsilon)],
        grid: flatGrid(rows),
        inputs: [x, z, weight],
        outputs: [{format: stored, shape: x.shape}],
        shader: gatedNormForwardShader(form, stored),
        whole,
      }),
    }
  },
}

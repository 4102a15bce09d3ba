/** The causal convolution on the GPU: what each launch of its shaders (causal-conv.wgsl.ts) reads and writes. */
import * as tf from '@tensorflow/tfjs-core'
import {type OutputSpec, type ShaderHost, type StridedInput} from '../../backend/gpu/launch.js'
import {type GpuDefinition, type Inputs, toTensors} from '../operation.js'
import {WIDE} from '../wide.js'
import {
  convBackwardShader,
  convForwardShader,
  convGrid,
  convWeightGrid,
  convWeightShader,
  convWeightTerms,
} from './causal-conv.wgsl.js'
import {type ConvForm} from './conv-code.wgsl.js'
import {convWindowShader} from './conv-window.wgsl.js'

interface Plan {
  readonly batch: number
  readonly length: number
  readonly form: ConvForm
  /** How y and dX are stored */
  readonly stored: 'f16' | 'f32'
  readonly read: readonly (tf.TensorInfo | StridedInput)[]
  readonly whole: readonly number[]
}

function plan(inputs: Inputs, host: ShaderHost): Plan {
  const {bias, positions, weight, window, x} = inputs as Partial<Inputs> & Record<'weight' | 'x', tf.Tensor>
  const [batch, length, channels] = x.shape
  const lanes = channels % 4 === 0 ? 4 : 1
  const {offset, stride} = host.rowsOf(x)
  return {
    batch,
    form: {
      bias: Boolean(bias),
      channels,
      width: weight.shape[2] ?? 1,
      window: Boolean(window),
      x: host.formatOf(x),
      ...(positions && {packed: true}),
    },
    length,
    read: [{strided: true, tensor: x}, weight, ...[bias, window, positions].filter((given) => given !== undefined)],
    stored: channels % 8 === 0 ? host.precision : 'f32',
    whole: [batch, length, offset / lanes, stride / lanes],
  }
}

function backward(dy: tf.Tensor, dLast: tf.Tensor | null, inputs: Inputs, host: ShaderHost): tf.Tensor[] {
  const {batch, form, length, read, stored, whole} = plan(inputs, host)
  const dX: OutputSpec = {beside: inputs.x, format: stored, shape: inputs.x.shape}
  const dWindow: OutputSpec = {format: 'f32', shape: [batch, form.width - 1, form.channels]}
  const sum = host.termsOf(dy)
  const terms = sum ?? [dy]
  const formats = {dLast: dLast && host.formatOf(dLast), dX: stored, dy: terms.map((term) => host.formatOf(term))}
  const made = host.launch({
    grid: convGrid(form, batch, length),
    inputs: [...read, ...terms, ...(dLast ? [dLast] : [])],
    outputs: form.window && !form.packed ? [dX, dWindow] : [dX],
    shader: convBackwardShader({...form, ...formats}),
    whole,
  })
  if (sum) tf.dispose(toTensors(sum))
  return toTensors(made)
}

/** dWeight (E, 1, K) and dBias (E). Asked for apart, because what a gradient function makes beside its result is freed. */
function sums(dy: tf.Tensor, inputs: Inputs, host: ShaderHost): {bias: tf.Tensor; weight: tf.Tensor} {
  const {batch, form, length, read, whole} = plan(inputs, host)
  const {channels, width} = form
  const terms = convWeightTerms(batch, length)
  const [dWeight, dBias] = toTensors(
    host.launch({
      grid: convWeightGrid(form, batch, length),
      inputs: [...read, dy],
      outputs: [
        {format: 'f32', shape: [terms, channels * width]},
        {format: 'f32', shape: [terms, channels]},
      ],
      shader: convWeightShader(form, host.formatOf(dy)),
      whole,
    }),
  )
  return {bias: tf.sum(dBias, 0), weight: tf.reshape(tf.sum(dWeight, 0), [channels, 1, width])}
}

/** y (B, L, E) and last (B, K−1, E) */
function forward(inputs: Inputs, host: ShaderHost): tf.TensorInfo[] {
  const {batch, form, length, read, stored, whole} = plan(inputs, host)
  return host.launch({
    grid: convGrid(form, batch, length),
    inputs: read,
    outputs: [
      {format: stored, shape: inputs.x.shape},
      {format: 'f32', shape: [batch, form.width - 1, form.channels]},
    ],
    shader: convForwardShader(form, stored),
    whole,
  })
}

/** dWindow (B, K−1, E) of packed rows */
function windowSums(dy: tf.Tensor, dLast: tf.Tensor | null, inputs: Inputs, host: ShaderHost): tf.Tensor {
  const {batch, form, length, read, whole} = plan(inputs, host)
  const runs = convWeightTerms(1, length)
  const [terms] = toTensors(
    host.launch({
      grid: convWeightGrid(form, batch, length),
      inputs: [...read, dy, ...(dLast ? [dLast] : [])],
      outputs: [{format: 'f32', shape: [batch, runs, form.width - 1, form.channels]}],
      shader: convWindowShader(form, host.formatOf(dy), dLast && host.formatOf(dLast)),
      whole,
    }),
  )
  return tf.sum(terms, 1)
}

/** y once more */
function again(inputs: Inputs, host: ShaderHost): tf.TensorInfo {
  const [y, last] = forward(inputs, host)
  tf.dispose(toTensors([last]))
  return y
}

export const convOnGpu: GpuDefinition = {
  gradient([dY, dLast], inputs, _settings, host) {
    const dy = dY ?? tf.zerosLike(inputs.x) // (B, L, E)
    const [dX, dWindow] = backward(dy, dLast, inputs, host)
    return {
      bias: () => sums(dy, inputs, host).bias, // (E)
      weight: () => sums(dy, inputs, host).weight, // (E, 1, K)
      window: () => (inputs.positions ? windowSums(dy, dLast, inputs, host) : dWindow), // (B, K−1, E)
      x: () => dX, // (B, L, E)
    }
  },
  // y has E columns, as has what the scan keeps: see wide.ts.
  remade: ({x}) =>
    (x.shape[2] ?? 0) < WIDE ? null : {make: (inputs, _settings, host) => again(inputs, host), output: 0},
  value: (inputs, _settings, host) => ({outputs: forward(inputs, host)}),
}

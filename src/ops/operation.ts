/**
 * How a fused operation joins TensorFlow.js: a name, a value and a gradient, registered for every backend that we serve.
 *
 * The value runs inside a TensorFlow.js kernel, so ops that it calls are not recorded on the tape; the gradient is ours.
 * Gradients are lazy by input: TensorFlow.js asks only for inputs that lead to something trained, so a frozen weight
 * costs nothing. A gradient that several inputs share is computed when the operation's gradient is first asked for.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../backend/gpu/current.js'
import {type ShaderHost} from '../backend/gpu/launch.js'
import {gradientsOnce, isRecording, keptAlias, record, unrecorded} from './tape.js'

/** TensorFlow.js's names of the backends that we register kernels for. The GPU is served apart: see runOnGpu. */
const BACKENDS = ['wasm', 'cpu', 'tensorflow']

export type Inputs = Record<string, tf.Tensor>
export type Settings = Record<string, number | boolean | undefined>
type Value = tf.TensorInfo | tf.TensorInfo[]

/** What a value on the GPU leaves: its outputs, and tensors that its gradient needs and nobody else sees. */
export interface GpuValue {
  readonly outputs: tf.TensorInfo[]
  readonly saved?: tf.TensorInfo[]
  /** What the gradient has to know of inputs that it does not read */
  readonly notes?: Notes
}

export type Notes = Readonly<Record<string, string>>

/** An output that is given up after the forward pass and computed again when the backward pass reads it. */
export interface Remade {
  /** Index of the output */
  readonly output: number
  /** From the inputs that the gradient reads, and from what was saved */
  readonly make: (inputs: Inputs, settings: Settings, host: ShaderHost, saved: readonly tf.Tensor[]) => tf.TensorInfo
}

export interface GpuSettings {
  readonly settings: Settings
  /** A gradient may be asked for later; without it there is nothing to save. */
  readonly recording: boolean
}

export interface GpuDefinition {
  readonly value: (inputs: Inputs, settings: GpuSettings, host: ShaderHost) => GpuValue
  /** As below, but a dy is null for an output that the result does not depend on; `saved` is what `value` saved. */
  readonly gradient: (
    dys: readonly (tf.Tensor | null)[],
    inputs: Inputs,
    settings: Settings,
    host: ShaderHost,
    saved: readonly tf.Tensor[],
    notes: Notes,
  ) => Record<string, () => tf.Tensor>
  /** The inputs that the gradient reads, and that are kept for it; all of them where this is left out. */
  readonly reads?: (inputs: Inputs, settings: Settings) => readonly string[]
  /** null where every output is kept as long as something needs it. */
  readonly remade?: (inputs: Inputs, settings: Settings) => Remade | null
}

export interface OperationDefinition {
  readonly name: string
  readonly value: (inputs: Inputs, settings: Settings, backend: tf.KernelBackend) => Value
  /** dys has one gradient for each output; the result one function for each differentiable input. */
  readonly gradient: (dys: tf.Tensor[], inputs: Inputs, settings: Settings) => Record<string, () => tf.Tensor>
  /** The operation in shaders, or what is done on the GPU instead: other operations, which have gradients of their own. */
  readonly gpu: GpuDefinition | ((inputs: Inputs, settings: Settings) => tf.Tensor[])
}

export interface Operation {
  (inputs: Inputs, settings?: Settings): tf.Tensor[]
}

/** Registers the operation on every backend and returns the function that applies it. */
export function defineOperation({gpu, gradient, name, value}: OperationDefinition): Operation {
  // TensorFlow.js saves all inputs of a kernel only when they come as a list; which names the list stands for (optional
  // inputs may be absent) travels as an attribute.
  const inputNames: string[][] = []
  const byName = (list: readonly tf.Tensor[], inputSet: number): Inputs =>
    Object.fromEntries(inputNames[inputSet].map((input, index) => [input, list[index]]))
  for (const backendName of BACKENDS) {
    tf.registerKernel({
      backendName,
      kernelFunc({attrs, backend, inputs}) {
        const {inputSet, ...settings} = attrs as Settings
        const named = byName(inputs as unknown as tf.Tensor[], inputSet as number)
        return tf.tidy(() => value(named, settings, backend as tf.KernelBackend) as tf.Tensor)
      },
      kernelName: name,
    })
  }
  tf.registerGradient({
    gradFunc(dy, saved, attrs) {
      const {inputSet, ...settings} = attrs as Settings
      const gradients = gradient(Array.isArray(dy) ? dy : [dy], byName(saved, inputSet as number), settings)
      return Object.fromEntries(inputNames[inputSet as number].map((input, index) => [index, gradients[input]]))
    },
    kernelName: name,
    saveAllInputs: true,
  })
  return (inputs, settings = {}) => {
    const host = gpuHost()
    if (host) return typeof gpu === 'function' ? gpu(inputs, settings) : runOnGpu(name, gpu, host, inputs, settings)
    const names = Object.keys(inputs)
    let inputSet = inputNames.findIndex((known) => known.join() === names.join())
    if (inputSet < 0) inputSet = inputNames.push(names) - 1
    const list = Object.values(inputs) as unknown as tf.NamedTensorMap
    const result: unknown = tf.engine().runKernel(name, list, {...settings, inputSet})
    return Array.isArray(result) ? (result as tf.Tensor[]) : [result as tf.Tensor]
  }
}

export interface FusionDefinition {
  readonly name: string
  readonly gpu: GpuDefinition
  /** The same by other operations, which have gradients of their own. */
  readonly elsewhere: (inputs: Inputs, settings: Settings) => tf.Tensor[]
}

/** Several operations that are one on the GPU only: nothing is registered for other backends. */
export function defineFusion({elsewhere, gpu, name}: FusionDefinition): Operation {
  return (inputs, settings = {}) => {
    const host = gpuHost()
    return host ? runOnGpu(name, gpu, host, inputs, settings) : elsewhere(inputs, settings)
  }
}

/**
 * Runs the operation in shaders and records it. Not by a registered kernel, for three reasons: saved tensors, nulls for
 * unused gradients, and 20 µs a call that TensorFlow.js's bookkeeping would take.
 */
function runOnGpu(name: string, gpu: GpuDefinition, host: ShaderHost, inputs: Inputs, settings: Settings): tf.Tensor[] {
  const recording = isRecording()
  let notes: Notes = {}
  const {outputs, saved} = unrecorded(() => {
    const made = gpu.value(inputs, {recording, settings}, host)
    notes = made.notes ?? {}
    return {outputs: toTensors(made.outputs), saved: toTensors(made.saved ?? [])}
  })
  if (!recording) {
    tf.dispose(saved)
    return outputs
  }
  const names = gpu.reads?.(inputs, settings) ?? Object.keys(inputs)
  const keptInputs = Object.fromEntries(names.map((input) => [input, keptAlias(inputs[input])]))
  const kept = saved.map((tensor) => tf.keep(tensor))
  const all = [...Object.values(keptInputs), ...kept]
  const remade = gpu.remade?.(inputs, settings)
  if (remade) {
    const {make, output} = remade
    host.remakeLater(`${name} ${output}`, outputs[output], () => make(keptInputs, settings, host, kept))
  }
  record({
    gradient(dys) {
      const present = dys.filter((dy) => dy !== null)
      return gradientsOnce(all, present, () => gpu.gradient(dys, keptInputs, settings, host, kept, notes))
    },
    inputs,
    kernelName: name,
    outputs,
    saved: all,
  })
  return outputs
}

/** Tensors that the current scope owns, from what a kernel wrote. What is a tensor already stays the same. */
export function toTensors(infos: readonly tf.TensorInfo[]): tf.Tensor[] {
  return infos.map((info) =>
    info instanceof tf.Tensor ? (info as tf.Tensor) : tf.engine().makeTensorFromTensorInfo(info),
  )
}

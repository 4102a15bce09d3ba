/**
 * How a fused operation joins TensorFlow.js: a name, a value and a gradient, registered for every backend that we serve.
 *
 * The value runs inside a TensorFlow.js kernel, so ops that it calls are not recorded on the tape; the gradient is ours.
 * Gradients are lazy by input: TensorFlow.js asks only for inputs that lead to something trained, so a frozen weight
 * costs nothing. A gradient that several inputs share is computed when the operation's gradient is first asked for.
 */
import * as tf from '@tensorflow/tfjs-core'

/** TensorFlow.js's names of the backends that we register kernels for. */
const BACKENDS = ['wasm', 'cpu', 'tensorflow']

export type Inputs = Record<string, tf.Tensor>
export type Settings = Record<string, number | boolean | undefined>
type Value = tf.TensorInfo | tf.TensorInfo[]

export interface OperationDefinition {
  readonly name: string
  readonly value: (inputs: Inputs, settings: Settings, backend: tf.KernelBackend) => Value
  /** dys has one gradient for each output; the result one function for each differentiable input. */
  readonly gradient: (dys: tf.Tensor[], inputs: Inputs, settings: Settings) => Record<string, () => tf.Tensor>
}

export interface Operation {
  (inputs: Inputs, settings?: Settings): tf.Tensor[]
}

/** Registers the operation on every backend and returns the function that applies it. */
export function defineOperation({gradient, name, value}: OperationDefinition): Operation {
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
    const names = Object.keys(inputs)
    let inputSet = inputNames.findIndex((known) => known.join() === names.join())
    if (inputSet < 0) inputSet = inputNames.push(names) - 1
    const list = Object.values(inputs) as unknown as tf.NamedTensorMap
    const result: unknown = tf.engine().runKernel(name, list, {...settings, inputSet})
    return Array.isArray(result) ? (result as tf.Tensor[]) : [result as tf.Tensor]
  }
}

/** Tensors that the current scope owns, from what a kernel wrote. */
export function toTensors(infos: readonly tf.TensorInfo[]): tf.Tensor[] {
  return infos.map((info) => tf.engine().makeTensorFromTensorInfo(info))
}

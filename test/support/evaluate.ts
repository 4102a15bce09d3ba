/**
 * Values and gradients of an operation on the current backend, as plain arrays by name. The scalar that is differentiated
 * is the sum of all outputs, each multiplied by its own random cotangent, so no output and no gradient can hide.
 */
import * as tf from '@tensorflow/tfjs-core'
import {expectNoLeak} from './leak.js'
import {direction, mapNamed, type Named, type Tensors, toTensor} from './values.js'

export type Call = (inputs: Tensors) => Tensors
export type Cotangent = (output: string, size: number) => Float32Array

/** `y` for an output, `dX` for the gradient of an input `x`. */
export type Results = Record<string, Float32Array>

export const randomCotangent: Cotangent = (output, size) => direction(`cotangent of ${output}`, size)

export const gradientName = (input: string): string => `d${input[0].toUpperCase()}${input.slice(1)}`

/** Outputs of `call`. Fails on a leak. */
export function valuesOf(call: Call, inputs: Named): Promise<Results> {
  return expectNoLeak(() => read(tf.tidy(() => call(mapNamed(inputs, toTensor)))))
}

/** Outputs of `call` and the gradients of the inputs `wanted`. Fails on a leak. */
export function evaluate(
  call: Call,
  inputs: Named,
  wanted: readonly string[],
  cotangent: Cotangent = randomCotangent,
): Promise<Results> {
  return expectNoLeak(() => read(tf.tidy(() => differentiate(call, mapNamed(inputs, toTensor), wanted, cotangent))))
}

function differentiate(call: Call, inputs: Tensors, wanted: readonly string[], cotangent: Cotangent): Tensors {
  let values: Tensors = {}
  const gradients = tf.grads((...list: tf.Tensor[]) => {
    const outputs = call({...inputs, ...Object.fromEntries(wanted.map((name, index) => [name, list[index]]))})
    values = mapNamed(outputs, (output) => tf.keep(output))
    const parts = Object.entries(outputs).map(([name, output]) =>
      tf.sum(tf.mul(output, tf.tensor(cotangent(name, output.size), output.shape))),
    )
    return tf.addN(parts)
  })(wanted.map((name) => inputs[name]))
  return {...values, ...Object.fromEntries(wanted.map((name, index) => [gradientName(name), gradients[index]]))}
}

/** Waits for the device, and gives the tensors back. */
async function read(tensors: Tensors): Promise<Results> {
  const results: Results = {}
  for (const [name, tensor] of Object.entries(tensors)) results[name] = (await tensor.data<'float32'>()).slice()
  tf.dispose(tensors)
  return results
}

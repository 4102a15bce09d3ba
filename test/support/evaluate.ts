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
export function valuesOf(call: Call, inputs: Named): Results {
  return expectNoLeak(() => tf.tidy(() => read(call(mapNamed(inputs, toTensor)))))
}

/** Outputs of `call` and the gradients of the inputs `wanted`. Fails on a leak. */
export function evaluate(
  call: Call,
  inputs: Named,
  wanted: readonly string[],
  cotangent: Cotangent = randomCotangent,
): Results {
  return expectNoLeak(() =>
    tf.tidy(() => {
      const tensors = mapNamed(inputs, toTensor)
      let values: Results = {}
      const gradients = tf.grads((...list: tf.Tensor[]) => {
        const outputs = call({...tensors, ...Object.fromEntries(wanted.map((name, index) => [name, list[index]]))})
        values = read(outputs)
        const parts = Object.entries(outputs).map(([name, output]) =>
          tf.sum(tf.mul(output, tf.tensor(cotangent(name, output.size), output.shape))),
        )
        return tf.addN(parts)
      })(wanted.map((name) => tensors[name]))
      return {
        ...values,
        ...read(Object.fromEntries(wanted.map((name, index) => [gradientName(name), gradients[index]]))),
      }
    }),
  )
}

function read(tensors: Tensors): Results {
  return mapNamed(tensors, (tensor) => tensor.dataSync<'float32'>().slice())
}

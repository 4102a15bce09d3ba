/**
 * Values and gradients of an operation on the current backend. What is differentiated is the sum of all outputs, each
 * multiplied by random numbers of its own, so that no output and no gradient can hide behind another.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gradientName, type Precision, type Results} from './subject.js'
import {type Named, normals, placed, roundedToF16, type Tensors, type Values} from './values.js'

export interface Evaluation {
  readonly inputs: Named
  readonly call: (inputs: Tensors) => Tensors
  readonly trained: readonly string[]
  readonly stored: readonly string[]
  readonly precision: Precision
}

/**
 * `y`: an output where a gradient is wanted; `y alone`: the same where none is, which is another version of some kernels;
 * `dX`: the gradient of input `x`.
 */
export async function evaluate({call, inputs, precision, stored, trained}: Evaluation): Promise<Results> {
  const place = async (name: string, values: Values): Promise<tf.Tensor> =>
    precision === 'f16' && stored.includes(name) ? placed(roundedToF16(values), 'f16') : placed(values, 'f32')
  const owned: Tensors[] = []
  try {
    const given = await placedAll(inputs, place)
    owned.push(given)
    const alone = tf.tidy(() => call(given))
    owned.push(alone)
    const results = prefixed(alone, ' alone')
    if (trained.length === 0) return await readAll(alone)
    const directions = await placedAll(directionsOf(alone), place)
    owned.push(directions)
    const differentiated = tf.tidy(() => differentiate(call, given, trained, directions))
    owned.push(differentiated)
    return await readAll({...results, ...differentiated})
  } finally {
    for (const tensors of owned) tf.dispose(tensors)
  }
}

async function placedAll(named: Named, place: (name: string, values: Values) => Promise<tf.Tensor>): Promise<Tensors> {
  const tensors: Tensors = {}
  for (const [name, values] of Object.entries(named)) tensors[name] = await place(name, values)
  return tensors
}

/** What each output is multiplied by. */
function directionsOf(outputs: Tensors): Named {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, {shape}]) => [name, normals(`${name} ${shape.join()}`)(shape)]),
  )
}

function differentiate(
  call: Evaluation['call'],
  inputs: Tensors,
  trained: readonly string[],
  directions: Tensors,
): Tensors {
  let outputs: Tensors = {}
  const gradients = tf.grads((...list: tf.Tensor[]) => {
    outputs = call({...inputs, ...Object.fromEntries(trained.map((name, index) => [name, list[index]]))})
    for (const output of Object.values(outputs)) tf.keep(output)
    return tf.addN(Object.entries(outputs).map(([name, output]) => along(directions[name])(output)))
  })(trained.map((name) => inputs[name]))
  return {...outputs, ...Object.fromEntries(trained.map((name, index) => [gradientName(name), gradients[index]]))}
}

/** Σ direction · output, whose gradient is the direction itself, in the format that it is stored in. */
function along(direction: tf.Tensor): (output: tf.Tensor) => tf.Tensor {
  return tf.customGrad((output) => ({
    gradFunc: () => direction.clone(),
    value: tf.sum(tf.mul(output as tf.Tensor, direction)),
  }))
}

const prefixed = (tensors: Tensors, suffix: string): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${name}${suffix}`, tensor]))

async function readAll(tensors: Tensors): Promise<Results> {
  const results: Record<string, Float32Array> = {}
  for (const [name, tensor] of Object.entries(tensors)) results[name] = Float32Array.from(await tensor.data())
  return results
}

/** Tensors of random numbers, made on the GPU. */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from './launch.js'
import {randomGrid, randomUniform} from './random.wgsl.js'

export interface RandomTensor {
  readonly shape: readonly number[]
  readonly format: 'f16' | 'f32'
  /** Numbers lie in ±bound. */
  readonly bound: number
  readonly seed: number
}

/** Where tensors can be made that are yet to be written */
interface Maker extends ShaderHost {
  empty(shape: readonly number[], format: RandomTensor['format']): tf.TensorInfo
}

export function randomTensor(backend: Maker, {bound, format, seed, shape}: RandomTensor): tf.TensorInfo {
  const whole = backend.empty(shape, format)
  const windows = backend.windowsOf(whole) ?? [{from: 0, tensor: whole}]
  for (const {from, tensor} of windows) {
    const pairs = Math.ceil(tf.util.sizeFromShape(tensor.shape) / 2)
    backend.launch({
      floats: [bound],
      grid: randomGrid(pairs),
      inputs: [],
      outputs: [],
      shader: randomUniform(format),
      updates: [tensor],
      whole: [pairs, seed + from],
    })
  }
  return whole
}

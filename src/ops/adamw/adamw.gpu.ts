/** AdamW on arenas of the GPU: launches of the shaders, which change what they are given in place. */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../../backend/gpu/launch.js'
import {
  accumulateGrid,
  accumulateShader,
  GRADIENTS_AT_ONCE,
  normParts,
  normShader,
  ratedStepShader,
  squaresShader,
  stepFloats,
  stepGrid,
  stepShader,
  tensorNormsGrid,
  tensorNormsShader,
} from './adamw.wgsl.js'
import {type AdamwSettings} from './adamw.js'

/** Arenas of one layout, each a 1-D f32 tensor. */
export interface AdamwArenas {
  readonly values: tf.TensorInfo
  readonly gradients: tf.TensorInfo
  readonly m: tf.TensorInfo
  readonly v: tf.TensorInfo
}

/** A gradient and the row of its tensor in the layout. */
export interface PlacedGradient {
  readonly gradient: tf.Tensor
  readonly row: number
}

/** Adds scale · gradient to the arena of gradients. layout (tensors, 2) int32: first number and size of each tensor. */
export function accumulateOnGpu(
  host: ShaderHost,
  arena: tf.TensorInfo,
  layout: tf.TensorInfo,
  gradients: readonly PlacedGradient[],
  scale: number,
): void {
  for (let from = 0; from < gradients.length; from += GRADIENTS_AT_ONCE) {
    const some = gradients.slice(from, from + GRADIENTS_AT_ONCE)
    host.launch({
      floats: [scale],
      grid: accumulateGrid(some.map(({gradient}) => gradient.size)),
      inputs: [...some.map(({gradient}) => gradient), layout],
      outputs: [],
      shader: accumulateShader(some.length),
      updates: [arena],
      whole: some.map(({row}) => row),
    })
  }
}

/** √ Σ g² of an arena, a scalar on the device. */
export function normOnGpu(host: ShaderHost, arena: tf.TensorInfo): tf.Tensor {
  return tf.tidy(() => {
    const [size] = arena.shape
    const parts = normParts(size)
    const [squares] = host.launch({
      grid: [parts, 1, 1],
      inputs: [arena],
      outputs: [{format: 'f32', shape: [parts]}],
      shader: squaresShader,
      whole: [size / 4],
    })
    const [norm] = host.launch({
      grid: [1, 1, 1],
      inputs: [tf.engine().makeTensorFromTensorInfo(squares)],
      outputs: [{format: 'f32', shape: []}],
      shader: normShader,
      whole: [parts],
    })
    return tf.engine().makeTensorFromTensorInfo(norm)
  })
}

/** √ Σ g² of each tensor of an arena, (tensors) on the device. layout (tensors, 2) int32: first number and size of each. */
export function tensorNormsOnGpu(host: ShaderHost, arena: tf.TensorInfo, layout: tf.TensorInfo): tf.Tensor {
  const [tensors] = layout.shape
  const [norms] = host.launch({
    grid: tensorNormsGrid(tensors),
    inputs: [arena, layout],
    outputs: [{format: 'f32', shape: [tensors]}],
    shader: tensorNormsShader,
    whole: [tensors],
  })
  return tf.engine().makeTensorFromTensorInfo(norms)
}

export interface AdamwStepSettings extends Omit<AdamwSettings, 'gradientScale'> {
  /** Limit on the norm; null: the gradient is taken as it is. */
  readonly clipNorm: number | null
}

/** One step in place, with factors for each block of numbers if there are `rates`; gradients become zeros. Values and moments stay as they are where the norm is not finite. */
export function stepOnGpu(
  host: ShaderHost,
  {gradients, m, rates, v, values}: AdamwArenas & {readonly rates?: tf.TensorInfo | null},
  norm: tf.TensorInfo,
  {beta1, beta2, clipNorm, epsilon, learningRate, step, weightDecay}: AdamwStepSettings,
): void {
  const groups = values.shape[0] / 4
  host.launch({
    floats: stepFloats({
      beta1,
      beta2,
      decay: learningRate * weightDecay,
      epsilon,
      keep: 1 - learningRate * weightDecay,
      limit: clipNorm ?? 0,
      rest1: 1 - beta1,
      rest2: 1 - beta2,
      root_correction: Math.sqrt(1 - beta2 ** step),
      step_size: learningRate / (1 - beta1 ** step),
    }),
    grid: stepGrid(groups),
    inputs: rates ? [norm, rates] : [norm],
    outputs: [],
    shader: rates ? ratedStepShader : stepShader,
    updates: [values, gradients, m, v],
    whole: [groups, clipNorm === null ? 0 : 1],
  })
}

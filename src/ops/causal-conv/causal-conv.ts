/**
 * Depthwise causal convolution followed by SiLU. For sequence b, step t, channel e:
 *
 *   s_t[e] = bias[e] + Σ_k weight[e,0,k] · x_{t−K+1+k}[e],   y_t[e] = s_t[e] · σ(s_t[e])
 *
 * Steps before the first come from `window`, the last K−1 inputs of an earlier part of the sequence, or are zero. A row may
 * hold several sequences, one behind the other, which `positions` tells apart: each begins with the row's window.
 * Gu and Dao, arXiv 2312.00752, figure 3; the window is what decoding carries (their conv_state without its newest column).
 */
import type * as tf from '@tensorflow/tfjs-core'
import {backend as currentBackend, reshape, sum} from '@tensorflow/tfjs-core'
import {askKernel, launchKernel} from '../../backend/kernel-host.js'
import {channelGroup} from '../channel-group.js'
import {defineOperation, type Inputs, toTensors} from '../operation.js'
import {convOnGpu} from './causal-conv.gpu.js'

export interface ConvInputs {
  readonly x: tf.Tensor3D // (B, L, E)
  readonly weight: tf.Tensor3D // (E, 1, K)
  readonly bias: tf.Tensor1D | null // (E)
  readonly window: tf.Tensor3D | null // (B, K−1, E)
  /** (B, L) int32: steps since the sequence began that a step belongs to; absent or null where a row is one sequence */
  readonly positions?: tf.Tensor2D | null
}

export interface ConvOutputs {
  readonly y: tf.Tensor3D // (B, L, E)
  readonly last: tf.Tensor3D // (B, K−1, E) the last K−1 inputs, window included where the last sequence is shorter
}

interface Plan {
  readonly backend: tf.KernelBackend
  readonly batch: number
  readonly channels: number
  readonly width: number
  readonly launch: {items: number; numbers: number[]; scratch: number; work: number}
}

function plan({weight, x}: Inputs): Plan {
  const [batch, length, channels] = x.shape
  const width = weight.shape[2] ?? 1
  const {group, groups} = channelGroup(channels)
  const backend = currentBackend()
  const scratch = askKernel(backend, 'causalConvScratch', length, width)
  const launch = {
    items: batch * groups,
    numbers: [length, channels, width, group],
    scratch,
    work: batch * length * channels * width,
  }
  return {backend, batch, channels, launch, width}
}

const conv = defineOperation({
  gradient([dy, dLast], inputs) {
    const {weight, x} = inputs
    const {backend, batch, channels, launch, width} = plan(inputs)
    const [dX, dWeight, dBias, dWindow] = toTensors(
      launchKernel(backend, {
        ...launch,
        inputs: [x, weight, inputs.bias ?? null, inputs.window ?? null, inputs.positions ?? null, dy, dLast],
        kernel: 'causalConvBackward',
        outputs: [x.shape, [batch, channels, width], [batch, channels], [batch, width - 1, channels]],
      }),
    )
    return {
      bias: () => sum(dBias, 0), // (E)
      weight: () => reshape(sum(dWeight, 0), [channels, 1, width]), // (E, 1, K)
      window: () => dWindow, // (B, K−1, E)
      x: () => dX, // (B, L, E)
    }
  },
  gpu: convOnGpu,
  name: 'MambaCausalConv',
  value(inputs) {
    const {weight, x} = inputs
    const {backend, batch, channels, launch, width} = plan(inputs)
    return launchKernel(backend, {
      ...launch,
      inputs: [x, weight, inputs.bias ?? null, inputs.window ?? null, inputs.positions ?? null],
      kernel: 'causalConvForward',
      outputs: [x.shape, [batch, width - 1, channels]],
    })
  },
})

/** Applies the convolution. Every length from 1 and every width from 2 is allowed. */
export function causalConv({bias, positions, window, ...rest}: ConvInputs): ConvOutputs {
  const [y, last] = conv({...rest, ...(bias && {bias}), ...(window && {window}), ...(positions && {positions})})
  return {last: last as tf.Tensor3D, y: y as tf.Tensor3D}
}

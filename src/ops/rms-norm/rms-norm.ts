/**
 * Root-mean-square normalisation over the last axis:  y = x / √(mean(x²) + ε) · weight.
 * Zhang and Sennrich, arXiv 1910.07467, equation 4, with ε inside the root as transformers has it.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {backend as currentBackend, sum} from '@tensorflow/tfjs-core'
import {launchKernel} from '../../backend/kernel-host.js'
import {defineOperation, toTensors} from '../operation.js'
import {normOnGpu} from './rms-norm.gpu.js'

/** Rows in a work item: fixed, so that the sum behind the weight's gradient has a fixed order. */
const BLOCK = 32

const norm = defineOperation({
  gradient([dy], {weight, x}, {epsilon}) {
    const columns = weight.size
    const rows = x.size / columns
    const blocks = Math.ceil(rows / BLOCK)
    const [dX, dWeight] = toTensors(
      launchKernel(currentBackend(), {
        inputs: [x, weight, dy],
        items: blocks,
        kernel: 'rmsNormBackward',
        numbers: [rows, columns, epsilon as number, BLOCK],
        outputs: [x.shape, [blocks, columns]],
        work: 4 * x.size,
      }),
    )
    return {weight: () => sum(dWeight, 0), x: () => dX}
  },
  gpu: normOnGpu,
  name: 'MambaRmsNorm',
  value({weight, x}, {epsilon}, backend) {
    const columns = weight.size
    const rows = x.size / columns
    return launchKernel(backend, {
      inputs: [x, weight],
      items: Math.ceil(rows / BLOCK),
      kernel: 'rmsNormForward',
      numbers: [rows, columns, epsilon as number, BLOCK],
      outputs: [x.shape],
      work: x.size,
    })
  },
})

/** x (…, d), weight (d) → (…, d). `epsilon` is added to the mean of squares. */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, epsilon: number): T {
  return norm({weight, x}, {epsilon})[0] as T
}

/**
 * RMSNorm behind a gate:  y = v / √(mean(v²) + ε) · weight,  v = x · silu(z), the mean over the last axis.
 * Dao and Gu, arXiv 2405.21060, section 7.1 and figure 6, with the gate before the norm, as transformers'
 * MambaRMSNormGated has it.
 */
import * as tf from '@tensorflow/tfjs-core'
import {askKernel, launchKernel} from '../../backend/kernel-host.js'
import {defineOperation, type Inputs, toTensors} from '../operation.js'
import {gatedNormOnGpu} from './gated-rms-norm.gpu.js'

/** Rows in a work item: fixed, so that the sum behind the weight's gradient has a fixed order. */
const BLOCK = 32

/** Elementary steps for each number: the gate's exponential is most of them. */
const STEPS = 4

interface Plan {
  readonly backend: tf.KernelBackend
  readonly blocks: number
  readonly launch: {items: number; numbers: number[]; scratch: number; work: number}
}

function plan({weight, x}: Inputs, epsilon: number): Plan {
  const columns = weight.size
  const rows = x.size / columns
  const blocks = Math.ceil(rows / BLOCK)
  const backend = tf.backend()
  const scratch = askKernel(backend, 'gatedRmsNormScratch', columns)
  const launch = {items: blocks, numbers: [rows, columns, epsilon, BLOCK], scratch, work: STEPS * x.size}
  return {backend, blocks, launch}
}

const norm = defineOperation({
  gradient([dy], inputs, {epsilon}) {
    const {weight, x, z} = inputs
    const {backend, blocks, launch} = plan(inputs, epsilon as number)
    const [dX, dZ, dWeight] = toTensors(
      launchKernel(backend, {
        ...launch,
        inputs: [x, z, weight, dy],
        kernel: 'gatedRmsNormBackward',
        outputs: [x.shape, z.shape, [blocks, weight.size]],
      }),
    )
    return {
      weight: () => tf.sum(dWeight, 0), // (E)
      x: () => dX, // (…, E)
      z: () => dZ, // (…, E)
    }
  },
  gpu: gatedNormOnGpu,
  name: 'MambaGatedRmsNorm',
  value(inputs, {epsilon}) {
    const {weight, x, z} = inputs
    const {backend, launch} = plan(inputs, epsilon as number)
    return launchKernel(backend, {
      ...launch,
      inputs: [x, z, weight],
      kernel: 'gatedRmsNormForward',
      outputs: [x.shape],
    })
  },
})

/** x (…, E), gate z (…, E), weight (E) → (…, E). `epsilon` is added to the mean of squares. */
export function gatedRmsNorm<T extends tf.Tensor>(x: T, z: T, weight: tf.Tensor1D, epsilon: number): T {
  return norm({weight, x, z}, {epsilon})[0] as T
}

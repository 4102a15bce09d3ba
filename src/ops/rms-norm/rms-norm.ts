/**
 * Root-mean-square normalisation over the last axis:  y = x / √(mean(x²) + ε) · weight.
 * Zhang and Sennrich, arXiv 1910.07467, equation 4, with ε inside the root as transformers has it. The weight may be absent,
 * as where Falcon-Mamba normalises Δ, B and C (transformers' rms_forward in modeling_falcon_mamba.py).
 */
import type * as tf from '@tensorflow/tfjs-core'
import {backend as currentBackend, sum} from '@tensorflow/tfjs-core'
import {launchKernel} from '../../backend/kernel-host.js'
import {defineOperation, type Inputs, toTensors} from '../operation.js'
import {normOnGpu} from './rms-norm.gpu.js'

/** Rows in a work item: fixed, so that the sum behind the weight's gradient has a fixed order. */
const BLOCK = 32

interface Rows {
  readonly rows: number
  readonly columns: number
  readonly weight: tf.Tensor | null
}

type Given = Partial<Inputs> & {readonly x: tf.Tensor}

function rowsOf({weight, x}: Given): Rows {
  const columns = x.shape[x.rank - 1]
  return {columns, rows: x.size / columns, weight: weight ?? null}
}

const norm = defineOperation({
  gradient([dy], inputs, {epsilon}) {
    const {x} = inputs
    const {columns, rows, weight} = rowsOf(inputs as Given)
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
  value(inputs, {epsilon}, backend) {
    const {x} = inputs
    const {columns, rows, weight} = rowsOf(inputs as Given)
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

/** x (…, d), weight (d) or null for ones → (…, d). `epsilon` is added to the mean of squares. */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D | null, epsilon: number): T {
  return norm({...(weight && {weight}), x}, {epsilon})[0] as T
}

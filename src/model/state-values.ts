/** A model's state as numbers on the host: what is kept of a text that was read, in constant size, and can be saved. */
import * as tf from '@tensorflow/tfjs-core'
import {type ModelState} from './language-model.js'

export interface StateTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** Of one layer: scan (1, E, N), or (1, H, P, N), and the convolution's window (1, K−1, channels) */
export interface LayerValues {
  readonly scan: StateTensor
  readonly window: StateTensor
}

export type StateValues = readonly LayerValues[]

/** Waits for the device. The state stays as it is. */
export async function valuesOfState(state: ModelState): Promise<StateValues> {
  return Promise.all(
    state.map(async ({scan, window}) => {
      const [values, steps] = await Promise.all([scan.data<'float32'>(), window.data<'float32'>()])
      return {
        scan: {shape: [...scan.shape], values: values.slice()},
        window: {shape: [...window.shape], values: steps.slice()},
      }
    }),
  )
}

/** The state on the device; whoever asks disposes of it. */
export function stateOfValues(values: StateValues): ModelState {
  return values.map(({scan, window}) => ({
    scan: tf.tensor(scan.values, [...scan.shape]),
    window: tf.tensor3d(window.values, window.shape as [number, number, number]),
  }))
}

/** Bytes of a state as it is saved. */
export function bytesOfState(values: StateValues): number {
  return values.reduce((sum, {scan, window}) => sum + scan.values.byteLength + window.values.byteLength, 0)
}

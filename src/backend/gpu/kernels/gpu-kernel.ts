/** What a TensorFlow.js kernel on the GPU is made of. Shapes go up to rank four. */
import type * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../gpu-backend.js'

export interface GpuKernel {
  /** TensorFlow.js's name */
  readonly name: string
  readonly run: (
    inputs: Record<string, tf.TensorInfo>,
    attributes: Record<string, unknown>,
    backend: GpuBackend,
  ) => tf.TensorInfo | tf.TensorInfo[]
}

/** The shape with ones in front. */
export function toRankFour(shape: readonly number[]): number[] {
  if (shape.length > 4) throw new Error(`tensors on the GPU have four axes at most, not ${shape.length}`)
  return [...Array.from({length: 4 - shape.length}, () => 1), ...shape]
}

/** Numbers from one index of an axis to the next, rows one after another. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1]
  return strides
}

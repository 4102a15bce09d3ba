/** The GPU as operations find it: the current TensorFlow.js backend, if it is ours. */
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from './gpu-backend.js'
import {type ShaderHost} from './launch.js'

/** TensorFlow.js's name of the backend. */
export const GPU_BACKEND = 'mambatune-gpu'

/** That of a backend on paper: see rehearsal.ts. */
export const PAPER_BACKEND = 'mambatune-gpu-on-paper'

/** null when the current backend is another one. */
export function gpuBackend(): GpuBackend | null {
  const name = tf.getBackend()
  return name === GPU_BACKEND || name === PAPER_BACKEND ? (tf.backend() as GpuBackend) : null
}

/** The same, as much of it as operations need. */
export function gpuHost(): ShaderHost | null {
  return gpuBackend()
}

/** Running work on a GPU that is not there: see paper-device.ts. Values that are read back are zeros. */
import * as tf from '@tensorflow/tfjs-core'
import {registerGradients} from '../gradients.js'
import {PAPER_BACKEND} from './current.js'
import {GpuBackend} from './gpu-backend.js'
import {registerGpuKernels} from './kernels/register.js'
import {paperDevice} from './paper-device.js'
import {type DeviceFacts} from './shader.js'

/** The GPU that is played. */
export interface PaperGpu {
  readonly facts: DeviceFacts
  readonly precision: 'f16' | 'f32'
}

/** What shaders are planned for where no GPU has been asked. */
export const LARGE_GPU: DeviceFacts = {
  bindingBytes: 2 ** 31 - 4,
  f16: true,
  matrixUnits: true,
  subgroupSize: 32,
  workgroupBytes: 48 * 1024,
  workgroupInvocations: 1024,
}

/** Makes a backend on paper TensorFlow.js's current one for as long as `work` runs; nothing else may compute meanwhile. */
export async function rehearse<Result>(
  {facts, precision}: PaperGpu,
  work: (backend: GpuBackend) => Promise<Result>,
): Promise<Result> {
  const before = tf.getBackend() as string | undefined
  await registerGradients()
  registerGpuKernels()
  const backend = new GpuBackend({checked: false, device: paperDevice(), facts, precision})
  tf.registerBackend(PAPER_BACKEND, () => backend)
  await tf.setBackend(PAPER_BACKEND)
  try {
    return await work(backend)
  } finally {
    if (before) await tf.setBackend(before)
    tf.removeBackend(PAPER_BACKEND)
  }
}

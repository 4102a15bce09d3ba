/** Tells TensorFlow.js of the kernels that it may call on the GPU, once. */
import * as tf from '@tensorflow/tfjs-core'
import {GPU_BACKEND, PAPER_BACKEND} from '../current.js'
import {type GpuBackend} from '../gpu-backend.js'
import {elementwiseKernels} from './elementwise.js'
import {movementKernels} from './movement.js'
import {reductionKernels} from './reduction.js'

let registered = false

export function registerGpuKernels(): void {
  if (registered) return
  registered = true
  for (const {name, run} of [...elementwiseKernels, ...movementKernels, ...reductionKernels]) {
    for (const backendName of [GPU_BACKEND, PAPER_BACKEND]) {
      tf.registerKernel({
        backendName,
        kernelFunc: ({attrs, backend, inputs}) =>
          run(
            inputs as unknown as Record<string, tf.TensorInfo>,
            attrs as Record<string, unknown>,
            backend as GpuBackend,
          ),
        kernelName: name,
      })
    }
  }
}

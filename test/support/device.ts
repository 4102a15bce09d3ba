/** Devices for tests: the real `cpu` device (wasm), and TensorFlow.js's plain backend that stands in for `tensorflow`. */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import {registerGradients} from '../../src/backend/gradients.js'
import {startWasm} from '../../src/backend/wasm-device.js'

export const BACKENDS = ['wasm', 'cpu'] as const

// Not by tf.findBackend: that starts a backend, and before startWasm it would be the one without threads.
let wasm: Promise<unknown> | undefined

export async function useBackend(name: (typeof BACKENDS)[number]): Promise<void> {
  tf.enableProdMode()
  await registerGradients()
  if (name === 'wasm') await (wasm ??= startWasm(2))
  await tf.setBackend(name)
}

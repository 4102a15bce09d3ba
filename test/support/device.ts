/** Devices for tests: the real `cpu` device (wasm), and TensorFlow.js's plain backend that stands in for `tensorflow`. */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import {registerGradients} from '../../src/backend/gradients.js'
import {startWasm} from '../../src/backend/wasm-device.js'

export const BACKENDS = ['wasm', 'cpu'] as const

export async function useBackend(name: (typeof BACKENDS)[number]): Promise<void> {
  tf.enableProdMode()
  await registerGradients()
  if (name === 'wasm' && !tf.findBackend('wasm')) await startWasm(2)
  await tf.setBackend(name)
}

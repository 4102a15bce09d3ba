/**
 * Choosing and starting a device. A device is a TensorFlow.js backend made ready for our operations.
 *
 * | --device     | backend      | needs                                                         |
 * | cpu          | wasm         | nothing                                                       |
 * | tensorflow   | tensorflow   | @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node, installed |
 * | gpu          | (not yet)    |                                                               |
 * | auto         | cpu          | nothing                                                       |
 */
import * as tf from '@tensorflow/tfjs-core'
import {DeviceError} from '../errors.js'
import {registerGradients} from './gradients.js'
import {startTensorflow} from './tensorflow-device.js'
import {availableThreads, startWasm} from './wasm-device.js'

export const DEVICE_CHOICES = ['auto', 'gpu', 'cpu', 'tensorflow'] as const
export type DeviceChoice = (typeof DEVICE_CHOICES)[number]

export interface Device {
  readonly name: 'cpu' | 'tensorflow'
  /** One line for people: what runs, and why it was chosen. */
  readonly description: string
}

/** Starts the device and makes it TensorFlow.js's current backend. Errors: DeviceError. */
export async function startDevice(choice: DeviceChoice): Promise<Device> {
  tf.enableProdMode()
  await registerGradients()
  switch (choice) {
    case 'auto':
    case 'cpu': {
      const threads = availableThreads()
      await startWasm(threads)
      const why = choice === 'auto' ? ' (the only device of this version that needs nothing installed)' : ''
      return {description: `cpu, ${threads} thread${threads === 1 ? '' : 's'}${why}`, name: 'cpu'}
    }

    case 'gpu':
      throw new DeviceError('This version does not train on the GPU yet.', {
        hint: 'Use --device cpu, or --device tensorflow with @tensorflow/tfjs-node-gpu installed.',
      })
    case 'tensorflow':
      return {description: await startTensorflow(), name: 'tensorflow'}
  }
}

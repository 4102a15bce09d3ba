/**
 * Choosing and starting a device. A device is a TensorFlow.js backend made ready for our operations.
 *
 * | --device     | backend       | needs                                                         |
 * | gpu          | mambatune-gpu | a Vulkan, Metal or Direct3D 12 driver                         |
 * | cpu          | wasm          | nothing                                                       |
 * | tensorflow   | tensorflow    | @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node, installed |
 * | auto         | gpu or cpu    | nothing: the GPU if there is a real one that computes right   |
 */
import * as tf from '@tensorflow/tfjs-core'
import {DeviceError, MambatuneError} from '../errors.js'
import {registerGradients} from './gradients.js'
import {type GpuDevice, openGpu, startGpu} from './gpu/gpu-device.js'
import {gpuMemorySize, type MemorySize} from './gpu/memory-size.js'
import {quickCheck} from './gpu/self-check.js'
import {startTensorflow} from './tensorflow-device.js'
import {availableThreads, startWasm} from './wasm-device.js'

export const DEVICE_CHOICES = ['auto', 'gpu', 'cpu', 'tensorflow'] as const
export type DeviceChoice = (typeof DEVICE_CHOICES)[number]

/** How frozen matrices and activations are stored on the GPU; other devices compute in f32. */
export type Precision = 'auto' | 'f16' | 'f32'

export interface DeviceOptions {
  readonly precision?: Precision
  /** Bytes that the program takes of the GPU at most; null: no limit of ours */
  readonly gpuMemory?: number | null
}

export interface Device {
  readonly name: 'cpu' | 'gpu' | 'tensorflow'
  /** One line for people: what runs, and why it was chosen. */
  readonly description: string
  /** How much memory there is for us; null where a device has none of its own */
  memory(): Promise<MemorySize | null>
  /** Ends the device: its tensors are gone. A program with an open GPU does not end by itself. */
  close(): void
}

/** Starts the device and makes it TensorFlow.js's current backend. Errors: DeviceError. */
export async function startDevice(choice: DeviceChoice, options: DeviceOptions = {}): Promise<Device> {
  tf.enableProdMode()
  await registerGradients()
  switch (choice) {
    case 'auto':
      return startBest(options)
    case 'cpu':
      return startCpu('')
    case 'gpu':
      return requireGpu(options)
    case 'tensorflow':
      return {close: () => {}, description: await startTensorflow(), memory: noMemory, name: 'tensorflow'}
  }
}

async function startCpu(why: string): Promise<Device> {
  const threads = availableThreads()
  await startWasm(threads)
  const description = `cpu, ${threads} thread${threads === 1 ? '' : 's'}${why}`
  return {close: () => {}, description, memory: noMemory, name: 'cpu'}
}

const noMemory = (): Promise<null> => Promise.resolve(null)

/** The GPU if there is one that is quicker than the processor, else the processor; the description says why. */
async function startBest(options: DeviceOptions): Promise<Device> {
  try {
    const found = await openGpu({checked: false, precision: options.precision ?? 'auto'})
    const software = found?.description.software ?? false
    found?.close()
    if (!found) return await startCpu(' (no GPU answers)')
    if (software) return await startCpu(` (the only GPU is ${found.name}, played by the processor)`)
    return await requireGpu(options)
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    return startCpu(` (the GPU cannot be used: ${error.message.replace(/\.$/, '')})`)
  }
}

function gpuDevice({backend, close, description, name}: GpuDevice, limit: number | null): Device {
  const {software, vendor} = description
  return {
    close,
    description: `gpu, ${name}, ${backend.precision}`,
    memory: () => gpuMemorySize({gpu: {name, software, vendor}, limit}),
    name: 'gpu',
  }
}

async function requireGpu({gpuMemory = null, precision = 'auto'}: DeviceOptions): Promise<Device> {
  const started = await startGpu({checked: false, memoryLimit: gpuMemory ?? undefined, precision})
  if (!started) {
    throw new DeviceError('No GPU answers.', {
      hint: 'Install a Vulkan, Metal or Direct3D 12 driver, or use --device cpu. mambatune doctor says what was found.',
    })
  }
  const fault = await quickCheck()
  if (fault === null) return gpuDevice(started, gpuMemory)
  started.close()
  throw new DeviceError(`The GPU ${started.name} computes wrong numbers: ${fault}.`, {
    hint: 'Update the graphics driver, or use --device cpu. mambatune doctor --deep tests every kernel.',
  })
}

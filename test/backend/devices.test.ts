import os from 'node:os'
import workerThreads, {Worker} from 'node:worker_threads'
import {getThreadsCount} from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {GPU_BACKEND} from '../../src/backend/gpu/current.js'
import {DEVICE_CHOICES, startDevice} from '../../src/backend/devices.js'
import {closeKernelThreads} from '../../src/backend/kernel-host.js'
import {availableThreads, wasmHeap} from '../../src/backend/wasm-device.js'
import {DeviceError, EXIT} from '../../src/errors.js'
import {gpuAvailable} from '../support/gpu.js'

const processors = os.cpus().length

afterAll(closeKernelThreads)

describe('starting a device', () => {
  test('tensorflow: says what there is instead, with the exit code for devices', async () => {
    const error: unknown = await startDevice('tensorflow').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DeviceError)
    expect(error).toMatchObject({exit: EXIT.device, hint: expect.stringContaining('--device cpu')})
  })

  test('gpu: names it, and how it stores numbers', async () => {
    if (!gpuAvailable) return expect(startDevice('gpu')).rejects.toMatchObject({exit: EXIT.device})
    const device = await startDevice('gpu', {precision: 'f32'})
    const {description, name} = device
    expect(name).toBe('gpu')
    expect(tf.getBackend()).toBe(GPU_BACKEND)
    expect(description).toMatch(/^gpu, .+, f32$/)
    device.close()
    return undefined
  })

  test.each(['cpu', 'auto'] as const)(
    '%s: is TensorFlow.js in WebAssembly where there is no GPU but a software one, and says on how many threads',
    async (choice) => {
      const device = await startDevice(choice)
      const {description, name} = device
      if (name === 'gpu') return device.close() // a machine with a real GPU, which auto prefers
      expect(name).toBe('cpu')
      expect(tf.getBackend()).toBe('wasm')
      expect(description).toMatch(new RegExp(`^cpu, ${availableThreads()} threads?( \\(.+\\))?$`))
      expect(description.includes('(')).toBe(choice === 'auto')
      return undefined
    },
  )

  test('is possible by every name that is offered', () => {
    expect([...DEVICE_CHOICES].sort()).toEqual(['auto', 'cpu', 'gpu', 'tensorflow'])
  })
})

describe('the cpu device', () => {
  beforeAll(async () => {
    await startDevice('cpu')
  })

  test('runs TensorFlow.js on as many threads as the process may use', () => {
    expect(getThreadsCount()).toBe(availableThreads())
  })

  test('has no more workers than threads, and all of them are threads', () => {
    const {runningWorkers = [], unusedWorkers = []} = wasmHeap(tf.backend())?.wasm.PThread ?? {}
    const workers = [...runningWorkers, ...unusedWorkers]
    expect(workers).toHaveLength(availableThreads())
    for (const worker of workers) expect(worker).toBeInstanceOf(Worker)
  })

  test('shares its memory with our kernels', () => {
    expect(wasmHeap(tf.backend())).not.toBeNull()
  })

  test('leaves the platform as it was', () => {
    expect(os.cpus().length).toBe(processors)
    expect(workerThreads.Worker).toBe(Worker)
    const url = URL.createObjectURL(new Blob([]))
    expect(url).toMatch(/^blob:/)
    URL.revokeObjectURL(url)
  })

  test('differentiates', () => {
    expect(
      tf.tidy(
        () =>
          tf
            .grad((x) => tf.square(x))(tf.scalar(3))
            .dataSync()[0],
      ),
    ).toBe(6)
  })
})

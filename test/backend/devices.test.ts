import os from 'node:os'
import {getThreadsCount} from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {DEVICE_CHOICES, startDevice} from '../../src/backend/devices.js'
import {closeKernelThreads} from '../../src/backend/kernel-host.js'
import {availableThreads, wasmHeap} from '../../src/backend/wasm-device.js'
import {DeviceError, EXIT} from '../../src/errors.js'

const processors = os.cpus().length

afterAll(closeKernelThreads)

describe('starting a device', () => {
  test.each(['gpu', 'tensorflow'] as const)(
    '%s: says what there is instead, with the exit code for devices',
    async (choice) => {
      const error: unknown = await startDevice(choice).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(DeviceError)
      expect(error).toMatchObject({exit: EXIT.device, hint: expect.stringContaining('--device cpu')})
    },
  )

  test.each(['cpu', 'auto'] as const)(
    '%s: is TensorFlow.js in WebAssembly, and says on how many threads',
    async (choice) => {
      const {description, name} = await startDevice(choice)
      expect(name).toBe('cpu')
      expect(tf.getBackend()).toBe('wasm')
      expect(description).toMatch(new RegExp(`^cpu, ${availableThreads()} threads?( \\(.+\\))?$`))
      expect(description.includes('(')).toBe(choice === 'auto')
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

  test('shares its memory with our kernels', () => {
    expect(wasmHeap(tf.backend())).not.toBeNull()
  })

  test('leaves the platform as it was', () => {
    expect(os.cpus().length).toBe(processors)
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

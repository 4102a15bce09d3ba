import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {askKernel, closeKernelThreads, launchKernel} from '../../src/backend/kernel-host.js'
import {EXIT, MemoryError} from '../../src/errors.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {expectNoLeak} from '../support/leak.js'

function exponentialsOf(x: tf.Tensor): tf.Tensor {
  const [output] = launchKernel(tf.backend(), {
    inputs: [x],
    items: 1,
    kernel: 'exponentials',
    numbers: [x.size],
    outputs: [x.shape],
    scratch: askKernel(tf.backend(), 'mathematicsScratch'),
    work: x.size,
  })
  return tf.engine().makeTensorFromTensorInfo(output)
}

describe.each(BACKENDS)('a kernel launched on %s', (backend) => {
  test('reads tensors that another backend holds', async () => {
    await useBackend(backend === 'cpu' ? 'wasm' : 'cpu')
    const x = tf.tensor1d([0, 1, 2, 3])
    await useBackend(backend)
    const values = tf.tidy(() => [...exponentialsOf(x).dataSync()])
    expect(values.map((value) => value.toFixed(3))).toEqual(['1.000', '2.718', '7.389', '20.086'])
    x.dispose()
  })

  test('reads what TensorFlow.js computed, and TensorFlow.js reads its result', async () => {
    await useBackend(backend)
    const value = await expectNoLeak(() =>
      tf.tidy(() => tf.sum(exponentialsOf(tf.mul(tf.ones([2, 4]), 0))).dataSync()[0]),
    )
    expect(value).toBe(8)
  })

  test('runs again after its threads were closed', async () => {
    await useBackend(backend)
    await closeKernelThreads()
    await closeKernelThreads()
    expect(tf.tidy(() => exponentialsOf(tf.zeros([4])).dataSync()[3])).toBe(1)
  })
})

/** Reserves memory for outputs of so many floats each, and runs nothing. */
function reserve(...floats: number[]): void {
  const outputs = launchKernel(tf.backend(), {
    inputs: [],
    items: 0,
    kernel: 'exponentials',
    numbers: [],
    outputs: floats.map((size) => [size]),
    work: 0,
  })
  for (const {dataId} of outputs) tf.backend().disposeData(dataId)
}

const GIB = 2 ** 28 // floats

describe('a kernel whose tensors do not fit in memory', () => {
  test('ends in a MemoryError with its exit code and a hint, on cpu, and the next one runs', async () => {
    await useBackend('cpu')
    const tooLarge = (): void => reserve(GIB, GIB, GIB, GIB, GIB)
    expect(tooLarge).toThrow(MemoryError)
    expect(tooLarge).toThrow(expect.objectContaining({exit: EXIT.memory, hint: expect.stringContaining('batch_size')}))
    expect(tf.tidy(() => exponentialsOf(tf.zeros([4])).dataSync()[0])).toBe(1)
  })

  test('ends in a MemoryError on cpu for tensors of 2 GiB too', async () => {
    await useBackend('cpu')
    expect(() => reserve(2 * GIB, 2 * GIB, 2 * GIB)).toThrow(MemoryError)
  })

  test('ends in a MemoryError on wasm', async () => {
    await useBackend('wasm')
    expect(() => reserve(GIB, GIB, GIB, GIB, GIB)).toThrow(MemoryError)
  })
})

/** Checks that a piece of work gives back all the memory that it took. */
import {expect} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../src/backend/gpu/current.js'

interface Held {
  readonly tensors: number
  readonly bytes: number
  /** Buffers of the current backend; kernels take scratch memory there without making a tensor of it. */
  readonly buffers: number
  /** Bytes of GPU memory that tensors hold */
  readonly onGpu: number
}

function held(): Held {
  const {numBytes, numTensors} = tf.memory()
  const onGpu = gpuHost()?.gpuMemory().live ?? 0
  return {buffers: tf.backend().numDataIds(), bytes: numBytes, onGpu, tensors: numTensors}
}

/** Runs `work` on the current backend and fails unless tensors, bytes and buffers are as many as before. */
export async function expectNoLeak<Result>(work: () => Promise<Result> | Result): Promise<Result> {
  const before = held()
  const result = await work()
  expect(held()).toEqual(before)
  return result
}

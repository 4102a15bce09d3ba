/** Checks that a piece of work gives back all the memory that it took. */
import {expect} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'

interface Held {
  readonly tensors: number
  readonly bytes: number
  /** Buffers of the current backend; kernels take scratch memory there without making a tensor of it. */
  readonly buffers: number
}

function held(): Held {
  const {numBytes, numTensors} = tf.memory()
  return {buffers: tf.backend().numDataIds(), bytes: numBytes, tensors: numTensors}
}

/** Runs `work` on the current backend and fails unless tensors, bytes and buffers are as many as before. */
export function expectNoLeak<Result>(work: () => Result): Result {
  const before = held()
  const result = work()
  expect(held()).toEqual(before)
  return result
}

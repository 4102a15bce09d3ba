/** What an evaluation on the current backend has run: our kernels by name, TensorFlow.js's own by name. */
import {jest} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {KernelPool} from '../../src/backend/kernel-pool.js'

export interface Work {
  readonly launched: readonly string[]
  /** How often this kernel ran, ours or TensorFlow.js's. */
  readonly count: (kernel: string) => number
}

export async function workOf(evaluation: () => Promise<unknown>): Promise<Work> {
  const run = jest.spyOn(KernelPool.prototype, 'run')
  try {
    const {kernels} = await tf.profile(async () => {
      await evaluation()
      return tf.scalar(0)
    })
    const launched = run.mock.calls.map(([name]) => name)
    const all = [...kernels.map(({name}) => name), ...launched]
    return {count: (kernel) => all.filter((name) => name === kernel).length, launched}
  } finally {
    run.mockRestore()
  }
}

import os from 'node:os'
import {afterEach, describe, expect, jest, test} from '@jest/globals'
import {closeKernelThreads} from '../../src/backend/kernel-host.js'
import {KernelPool} from '../../src/backend/kernel-pool.js'
import {bitFaultsOf} from '../support/compare.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {evaluate, type Results} from '../support/evaluate.js'
import {type Named, type Tensors} from '../support/values.js'
import {CASES} from './every-operation.js'
import {faultsOfRepeating, type Subject, wantedOf} from './subject.js'
import {workOf} from './work.js'

afterEach(() => {
  jest.restoreAllMocks()
})

interface Threaded {
  readonly results: Results
  /** Kernels that were divided among threads. */
  readonly divided: readonly string[]
}

/** Evaluates with kernel threads started afresh on a machine that claims to have so many processors. */
async function onThreads(
  threads: number,
  {call}: Subject,
  inputs: Named,
  wanted: readonly string[],
): Promise<Threaded> {
  await closeKernelThreads()
  jest.spyOn(os, 'availableParallelism').mockReturnValue(threads)
  const run = jest.spyOn(KernelPool.prototype, 'run')
  const results = await evaluate(call, inputs, wanted)
  expect(run.mock.contexts.map((pool) => (pool as KernelPool).threads)).toEqual(run.mock.calls.map(() => threads))
  const divided = run.mock.calls.filter(([, , items, parallel]) => items > 1 && parallel).map(([kernel]) => kernel)
  jest.restoreAllMocks()
  await closeKernelThreads()
  return {divided, results}
}

describe.each(CASES.map((one) => ({...one, name: one.subject.name})))('the $name', ({inputs, subject}) => {
  const wanted = wantedOf(subject, inputs)

  test('gives the same bytes again', async () => {
    expect(await faultsOfRepeating(subject, inputs)).toEqual({})
  })

  test.each(BACKENDS)('gives the same bytes on one, two and three threads, on %s', async (backend) => {
    await useBackend(backend)
    const one = await onThreads(1, subject, inputs, wanted)
    for (const threads of [2, 3]) {
      const several = await onThreads(threads, subject, inputs, wanted)
      expect(bitFaultsOf(several.results, one.results)).toEqual({})
      if (backend === 'wasm') expect(several.divided).not.toEqual([])
    }
  })

  test('runs no backward kernel where nothing that leads to it is trained', async () => {
    await useBackend('wasm')
    const besides = ({other, ...rest}: Tensors): Tensors => ({...subject.call(rest), other})
    const withOther = {...inputs, other: {data: new Float32Array(1), shape: [1]}}
    const {launched} = await workOf(() => evaluate(besides, withOther, ['other']))
    expect(launched.filter((kernel) => kernel.endsWith('Backward') || kernel === 'transposedProduct')).toEqual([])
  })
})

import {describe, expect, test} from '@jest/globals'
import {type SsdSettings} from '../../src/ops/ssd-scan/ssd-scan.js'
import {ssdScanChunked} from '../../src/ops/ssd-scan/ssd-scan-chunked.reference.js'
import {faultsOf} from '../support/compare.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {EVERY_BACKEND} from '../support/every-backend.js'
import {evaluate, valuesOf} from '../support/evaluate.js'
import {type Named, normals} from '../support/values.js'
import {ssd, ssdInputs, type SsdSizes, toSsd, UNLIMITED} from './mamba2-subjects.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsOfPadding, faultsOfSplitting} from './sequences.js'
import {faultsAgainstMeaning, faultsAgainstNumbers, wantedOf} from './subject.js'
import {workOf} from './work.js'

interface Case extends SsdSizes {
  readonly limit?: SsdSettings['limit']
}

const STEPS = ['x', 'delta', 'b', 'c']

/** About a third of the steps of ssdInputs lie below, and as many above. */
const NARROW: SsdSettings['limit'] = [0.08, 0.2]

// Four channels and four states share a vector; groups of heads are divided into parts.
const CASES: readonly Case[] = [
  {batch: 1, groups: 1, heads: 1, length: 1, size: 1, states: 1},
  {batch: 2, groups: 1, heads: 3, length: 2, size: 5, states: 3},
  {batch: 2, groups: 2, heads: 4, length: 7, limit: NARROW, size: 4, states: 8},
  {batch: 1, groups: 3, heads: 9, length: 33, size: 7, states: 5},
  {batch: 1, groups: 1, heads: 19, length: 5, limit: NARROW, size: 2, states: 12},
  {batch: 2, groups: 2, h0: false, heads: 2, length: 9, limit: [0, 0.1], size: 6, states: 16},
]

describe('the SSD scan', () => {
  test.each(CASES)('equals its meaning in value and every gradient for %j', async ({limit, ...sizes}) => {
    expect(await faultsAgainstMeaning(ssd(sizes.heads, sizes.groups, limit), ssdInputs(sizes))).toEqual({})
  })

  // The backward kernel works in chunks of 64 steps.
  test.each([
    ...CASES,
    {batch: 2, groups: 1, heads: 2, length: 64, size: 3, states: 4},
    {batch: 1, groups: 2, heads: 2, length: 65, limit: NARROW, size: 4, states: 7},
    {batch: 1, groups: 1, heads: 2, length: 200, size: 5, states: 9},
    {batch: 1, groups: 1, h0: false, heads: 1, length: 300, size: 4, states: 16},
  ])('agrees with numeric differences for %j', async ({limit, ...sizes}: Case) => {
    expect(await faultsAgainstNumbers(ssd(sizes.heads, sizes.groups, limit), ssdInputs(sizes))).toEqual({})
  })

  test.each([
    {batch: 2, chunk: 8, groups: 2, heads: 4, length: 21, limit: NARROW, size: 3, states: 5},
    {batch: 1, chunk: 16, groups: 1, heads: 2, length: 16, limit: UNLIMITED, size: 4, states: 4},
    {batch: 1, chunk: 1, groups: 1, h0: false, heads: 3, length: 5, limit: UNLIMITED, size: 2, states: 3},
    {batch: 1, chunk: 64, groups: 1, heads: 1, length: 3, limit: UNLIMITED, size: 2, states: 6},
  ])('means the same step by step and in chunks, in value and every gradient: %j', async ({chunk, limit, ...sizes}) => {
    const inputs = ssdInputs(sizes)
    const {groups, heads} = sizes
    const subject = ssd(heads, groups, limit)
    const wanted = wantedOf(subject, inputs)
    await useBackend('cpu')
    const inChunks = await evaluate(
      (tensors) => ({...ssdScanChunked(toSsd(tensors), {groups, heads, limit}, chunk)}),
      inputs,
      wanted,
    )
    expect(faultsOf(inChunks, await evaluate(subject.meaning, inputs, wanted))).toEqual({})
  })

  test('has no gradient where Δ is clamped, and a gradient at the limits themselves', async () => {
    await useBackend('wasm')
    const inputs = ssdInputs({batch: 1, groups: 1, heads: 3, length: 1, size: 2, states: 4})
    const softplus = Math.log1p(Math.exp(-1))
    const delta = {data: Float32Array.of(-5, -1, 3), shape: [1, 1, 3]}
    const gradient = async (limit: SsdSettings['limit']): Promise<boolean[]> => {
      const {dDelta} = await evaluate(ssd(3, 1, limit).call, {...inputs, delta}, ['delta'])
      return [...dDelta].map((value) => value !== 0)
    }
    expect(await gradient([0.1, 1])).toEqual([false, true, false])
    expect(await gradient(UNLIMITED)).toEqual([true, true, true])
    // Δ as the kernel computes it: the last step's state over B x is Δ itself.
    const ones: Named = {
      ...inputs,
      a: {data: new Float32Array(3), shape: [3]},
      b: {data: Float32Array.of(1, 1, 1, 1), shape: [1, 1, 4]},
      delta,
      h0: {data: new Float32Array(24), shape: [1, 3, 2, 4]},
      x: {data: new Float32Array(6).fill(1), shape: [1, 1, 6]},
    }
    const {last} = await valuesOf(ssd(3, 1).call, ones)
    expect(last[8]).toBeCloseTo(softplus, 6)
    expect(await gradient([last[8], 10])).toEqual([false, true, true])
    expect(await gradient([0, last[8]])).toEqual([true, true, false])
  })

  test('does not hide a NaN', async () => {
    const inputs = ssdInputs({batch: 2, groups: 1, heads: 3, length: 5, size: 3, states: 3})
    const subject = ssd(3, 1, NARROW)
    for (const index of [0, 2]) expect(await faultsOfNan(subject, inputs, index)).toEqual({})
    expect(await gradientsWithoutNan(ssd(3, 1), inputs, 'y')).toEqual([])
    // `last` depends on neither of these inputs.
    expect(await gradientsWithoutNan(ssd(3, 1), inputs, 'last')).toEqual(
      EVERY_BACKEND.flatMap((backend) => ['dC', 'dD'].map((name) => `${backend} ${name}`)),
    )
  })

  test('does not notice steps that follow', async () => {
    const inputs = ssdInputs({batch: 2, groups: 2, heads: 4, length: 61, size: 5, states: 5})
    expect(await faultsOfPadding(ssd(4, 2, NARROW), inputs, STEPS, {extra: 20})).toEqual({})
  })

  test.each([1, 40, 69])('may be taken in two parts, the first of %i of 70 steps', async (at) => {
    const inputs = ssdInputs({batch: 2, groups: 1, heads: 2, length: 70, size: 5, states: 5})
    expect(await faultsOfSplitting({...ssd(2, 1), backends: BACKENDS}, inputs, STEPS, 'h0', at)).toEqual({})
    // On the GPU chunks begin elsewhere then, and sums are made in another order.
    const onGpu = {...ssd(2, 1), backends: EVERY_BACKEND.filter((backend) => backend === 'gpu')}
    expect(await faultsOfSplitting(onGpu, inputs, STEPS, 'h0', at, faultsOf)).toEqual({})
  })

  test('sums no gradient of a frozen input', async () => {
    await useBackend('wasm')
    const inputs = ssdInputs({batch: 2, groups: 1, heads: 2, length: 4, size: 3, states: 5})
    const sums = async (...wanted: string[]): Promise<number> =>
      (await workOf(() => evaluate(ssd(2, 1).call, inputs, wanted))).count('Sum')
    const ofTheLoss = 2
    expect(await sums('x', 'delta', 'h0')).toBe(ofTheLoss)
    expect(await sums('a')).toBe(ofTheLoss + 1)
    expect(await sums('a', 'b', 'c', 'd')).toBe(ofTheLoss + 4)
  })

  test('gives each head the matrices of its own group', async () => {
    await useBackend('wasm')
    const normal = normals('groups')
    const inputs = ssdInputs({batch: 1, groups: 2, h0: false, heads: 4, length: 3, size: 2, states: 3})
    // The first group's B is zero, so without a first state its two heads give the skip alone.
    const b = {data: normal([1, 3, 6]).data.map((value, index) => (index % 6 < 3 ? 0 : value)), shape: [1, 3, 6]}
    const {last} = await valuesOf(ssd(4, 2).call, {...inputs, b})
    expect([...last].map((value) => value !== 0)).toEqual(Array.from({length: 24}, (_value, index) => index >= 12))
  })
})

import {describe, expect, test} from '@jest/globals'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {evaluate} from '../support/evaluate.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsOfPadding, faultsOfSplitting} from './sequences.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {scan, scanInputs} from './subjects.js'
import {workOf} from './work.js'

const STEPS = ['u', 'delta', 'b', 'c', 'z']

describe('the selective scan', () => {
  test.each([
    {batch: 1, channels: 1, length: 1, states: 1},
    {batch: 2, channels: 3, length: 2, states: 5},
    {batch: 3, channels: 11, length: 7, states: 16},
    {batch: 2, channels: 37, length: 64, states: 5},
    {batch: 1, channels: 32, length: 129, states: 16},
    {batch: 1, channels: 64, length: 7, states: 1},
    {batch: 3, channels: 11, h0: false, length: 7, states: 16},
    {batch: 2, channels: 37, h0: false, length: 33, states: 5},
  ])('equals its meaning in value and every gradient for %j', async (sizes) => {
    expect(await faultsAgainstMeaning(scan, scanInputs(sizes))).toEqual({})
  })

  // The backward kernel works in chunks of 128 steps, and in groups of channels of which 37 make five and 260 eight.
  test.each([
    {batch: 1, channels: 1, length: 1, states: 1},
    {batch: 3, channels: 4, length: 1, states: 16},
    {batch: 2, channels: 3, length: 2, states: 5},
    {batch: 3, channels: 11, length: 7, states: 16},
    {batch: 2, channels: 37, length: 64, states: 5},
    {batch: 1, channels: 260, length: 7, states: 5},
    {batch: 1, channels: 37, length: 128, states: 1},
    {batch: 1, channels: 32, length: 129, states: 16},
    {batch: 1, channels: 37, length: 300, states: 5},
    {batch: 1, channels: 5, length: 1000, states: 16},
    {batch: 2, channels: 3, length: 1000, states: 1},
    {batch: 2, channels: 11, h0: false, length: 1, states: 5},
    {batch: 1, channels: 11, h0: false, length: 300, states: 5},
  ])('agrees with numeric differences for %j', async (sizes) => {
    expect(await faultsAgainstNumbers(scan, scanInputs(sizes))).toEqual({})
  })

  test('does not hide a NaN', async () => {
    const inputs = scanInputs({batch: 2, channels: 11, length: 5, states: 3})
    for (const index of [0, 7]) expect(await faultsOfNan(scan, inputs, index)).toEqual({})
    expect(await gradientsWithoutNan(scan, inputs, 'y')).toEqual([])
    // `last` depends on neither of these inputs.
    expect(await gradientsWithoutNan(scan, inputs, 'last')).toEqual(
      EVERY_BACKEND.flatMap((backend) => ['dC', 'dD', 'dZ'].map((name) => `${backend} ${name}`)),
    )
  })

  test('does not notice steps that follow', async () => {
    const inputs = scanInputs({batch: 2, channels: 37, length: 120, states: 5})
    expect(await faultsOfPadding(scan, inputs, STEPS, {extra: 20})).toEqual({})
  })

  test.each([1, 40, 69])('may be taken in two parts, the first of %i of 70 steps', async (at) => {
    const inputs = scanInputs({batch: 2, channels: 11, length: 70, states: 5})
    expect(await faultsOfSplitting(scan, inputs, STEPS, 'h0', at)).toEqual({})
  })

  test('sums no gradient of a frozen input', async () => {
    await useBackend('wasm')
    const inputs = scanInputs({batch: 2, channels: 3, length: 4, states: 5})
    const sums = async (...wanted: string[]): Promise<number> =>
      (await workOf(() => evaluate(scan.call, inputs, wanted))).count('Sum')
    const ofTheLoss = 2
    expect(await sums('u', 'delta', 'z', 'h0')).toBe(ofTheLoss)
    expect(await sums('a')).toBe(ofTheLoss + 1)
    expect(await sums('a', 'b', 'c', 'd')).toBe(ofTheLoss + 4)
  })
})

import {describe, expect, test} from '@jest/globals'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {evaluate} from '../support/evaluate.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsOfPadding, faultsOfSplitting} from './sequences.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {conv, convInputs} from './subjects.js'
import {workOf} from './work.js'

describe('the causal convolution', () => {
  test.each([
    {batch: 1, channels: 1, length: 1, width: 2},
    {batch: 2, channels: 3, length: 2, width: 4},
    {batch: 3, channels: 11, length: 7, width: 3},
    {batch: 2, channels: 37, length: 64, width: 4},
    {batch: 1, channels: 32, length: 129, width: 2},
    {batch: 2, channels: 11, length: 7, width: 4, window: false},
    {batch: 2, bias: false, channels: 3, length: 7, width: 4},
    {batch: 1, bias: false, channels: 5, length: 1, width: 3, window: false},
  ])('equals its meaning in value and every gradient for %j', async (sizes) => {
    expect(await faultsAgainstMeaning(conv, convInputs(sizes))).toEqual({})
  })

  test.each([
    {batch: 1, channels: 1, length: 1, width: 2},
    {batch: 2, channels: 3, length: 1, width: 4},
    {batch: 2, channels: 37, length: 2, width: 4},
    {batch: 3, channels: 11, length: 7, width: 3},
    {batch: 1, channels: 260, length: 7, width: 4},
    {batch: 2, channels: 32, length: 64, width: 4},
    {batch: 2, channels: 37, length: 129, width: 2},
    {batch: 1, channels: 11, length: 1000, width: 4},
    {batch: 3, channels: 1, length: 1000, width: 3, window: false},
    {batch: 2, bias: false, channels: 11, length: 2, width: 4, window: false},
  ])('agrees with numeric differences for %j', async (sizes) => {
    expect(await faultsAgainstNumbers(conv, convInputs(sizes))).toEqual({})
  })

  test('does not hide a NaN', async () => {
    const inputs = convInputs({batch: 2, channels: 6, length: 5, width: 3})
    for (const index of [0, 5]) expect(await faultsOfNan(conv, inputs, index)).toEqual({})
    expect(await gradientsWithoutNan(conv, inputs, 'y')).toEqual([])
    // These inputs are copied to `last`, which has no other gradient than its own.
    expect(await gradientsWithoutNan(conv, inputs, 'last')).toEqual(
      EVERY_BACKEND.flatMap((backend) => ['dWeight', 'dBias', 'dWindow'].map((name) => `${backend} ${name}`)),
    )
  })

  test('does not notice steps that follow', async () => {
    const inputs = convInputs({batch: 2, channels: 37, length: 61, width: 4})
    expect(await faultsOfPadding(conv, inputs, ['x'], {extra: 9})).toEqual({})
  })

  test.each([1, 2, 40, 69])('may be taken in two parts, the first of %i of 70 steps', async (at) => {
    const inputs = convInputs({batch: 2, channels: 11, length: 70, width: 4})
    expect(await faultsOfSplitting(conv, inputs, ['x'], 'window', at)).toEqual({})
  })

  test('sums no gradient of a frozen input', async () => {
    await useBackend('wasm')
    const inputs = convInputs({batch: 2, channels: 3, length: 4, width: 4})
    const sums = async (...wanted: string[]): Promise<number> =>
      (await workOf(() => evaluate(conv.call, inputs, wanted))).count('Sum')
    const ofTheLoss = 2
    expect(await sums('x', 'window')).toBe(ofTheLoss)
    expect(await sums('bias')).toBe(ofTheLoss + 1)
    expect(await sums('bias', 'weight')).toBe(ofTheLoss + 2)
  })
})

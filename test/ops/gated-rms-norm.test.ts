import {describe, expect, test} from '@jest/globals'
import {useBackend} from '../support/device.js'
import {evaluate} from '../support/evaluate.js'
import {gatedNorm, gatedNormInputs} from './mamba2-subjects.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsOfPadding} from './sequences.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {workOf} from './work.js'

// With one column the slope of y is what is left when two nearly equal numbers are subtracted: see rms-norm.test.ts.
const SHAPES = [
  {epsilon: 0.3, shape: [5, 1]},
  {epsilon: 1e-2, shape: [1, 3]},
  {epsilon: 1e-5, shape: [2, 7, 11]},
  {epsilon: 1e-5, shape: [3, 37, 64]},
]

describe('the gated RMS norm', () => {
  test.each(SHAPES)('equals its meaning in value and every gradient for %j', async ({epsilon, shape}) => {
    expect(await faultsAgainstMeaning(gatedNorm(epsilon), gatedNormInputs(shape))).toEqual({})
  })

  test.each(SHAPES)('agrees with numeric differences for %j', async ({epsilon, shape}) => {
    expect(await faultsAgainstNumbers(gatedNorm(epsilon), gatedNormInputs(shape))).toEqual({})
  })

  test('does not hide a NaN', async () => {
    const inputs = gatedNormInputs([2, 3, 6])
    for (const index of [0, 5]) expect(await faultsOfNan(gatedNorm(), inputs, index)).toEqual({})
    expect(await gradientsWithoutNan(gatedNorm(), inputs, 'y')).toEqual([])
  })

  test('does not notice rows that follow, but for the rounding of sums over rows', async () => {
    const inputs = gatedNormInputs([2, 61, 37])
    expect(await faultsOfPadding(gatedNorm(), inputs, ['x', 'z'], {extra: 9, rounded: true})).toEqual({})
  })

  test('sums no gradient of a frozen weight', async () => {
    await useBackend('wasm')
    const inputs = gatedNormInputs([2, 3, 5])
    const sums = async (...wanted: string[]): Promise<number> =>
      (await workOf(() => evaluate(gatedNorm().call, inputs, wanted))).count('Sum')
    const ofTheLoss = 1
    expect(await sums('x', 'z')).toBe(ofTheLoss)
    expect(await sums('x', 'z', 'weight')).toBe(ofTheLoss + 1)
  })
})

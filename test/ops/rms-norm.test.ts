import {describe, expect, test} from '@jest/globals'
import {useBackend} from '../support/device.js'
import {evaluate} from '../support/evaluate.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsOfPadding} from './sequences.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {norm, normInputs, plainNorm} from './subjects.js'
import {workOf} from './work.js'

// With one column y is near ±weight and its slope is ε / (x² + ε)^1.5: what is left when two nearly equal numbers are
// subtracted. A large ε keeps that difference within reach of f32.
const SHAPES = [
  {epsilon: 0.3, shape: [5, 1]},
  {epsilon: 1e-5, shape: [1, 3]},
  {epsilon: 1e-5, shape: [2, 7, 11]},
  {epsilon: 1e-2, shape: [3, 64, 37]},
  {epsilon: 1e-5, shape: [129, 64]},
]

describe('the RMS norm', () => {
  test.each(SHAPES)('equals its meaning in value and every gradient for %j', async ({epsilon, shape}) => {
    expect(await faultsAgainstMeaning(norm(epsilon), normInputs(shape))).toEqual({})
  })

  test.each([...SHAPES, {epsilon: 1e-5, shape: [1000, 37]}])(
    'agrees with numeric differences for %j',
    async ({epsilon, shape}) => {
      expect(await faultsAgainstNumbers(norm(epsilon), normInputs(shape))).toEqual({})
    },
  )

  test.each(SHAPES)('needs no weight for %j', async ({epsilon, shape}) => {
    const {x} = normInputs(shape)
    expect(await faultsAgainstMeaning(plainNorm(epsilon), {x})).toEqual({})
    expect(await faultsAgainstNumbers(plainNorm(epsilon), {x})).toEqual({})
  })

  test('does not hide a NaN', async () => {
    const inputs = normInputs([2, 3, 6])
    for (const index of [0, 5]) expect(await faultsOfNan(norm(), inputs, index)).toEqual({})
    expect(await gradientsWithoutNan(norm(), inputs, 'y')).toEqual([])
  })

  test('does not notice rows that follow, but for the rounding of sums over rows', async () => {
    expect(await faultsOfPadding(norm(), normInputs([2, 61, 37]), ['x'], {extra: 9, rounded: true})).toEqual({})
  })

  test('sums no gradient of a frozen weight', async () => {
    await useBackend('wasm')
    const inputs = normInputs([2, 3, 5])
    const sums = async (...wanted: string[]): Promise<number> =>
      (await workOf(() => evaluate(norm().call, inputs, wanted))).count('Sum')
    const ofTheLoss = 1
    expect(await sums('x')).toBe(ofTheLoss)
    expect(await sums('x', 'weight')).toBe(ofTheLoss + 1)
  })
})

import {describe, expect, test} from '@jest/globals'
import {useBackend} from '../support/device.js'
import {evaluate} from '../support/evaluate.js'
import {faultsOfNan, gradientsWithoutNan} from './not-a-number.js'
import {faultsOfPadding} from './sequences.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {linear, linearInputs} from './subjects.js'
import {workOf} from './work.js'

const SIZES = [
  {inputs: 1, outputs: 1, rank: 0, rows: [1]},
  {inputs: 3, outputs: 11, rank: 1, rows: [2]},
  {bias: true, inputs: 11, outputs: 3, rank: 0, rows: [1, 7]},
  {bias: true, inputs: 37, outputs: 64, rank: 5, rows: [2, 7]},
  {dropped: true, inputs: 32, outputs: 37, rank: 3, rows: [3, 64]},
  {inputs: 37, outputs: 16, rank: 16, rows: [129], transposed: true},
  {bias: true, dropped: true, inputs: 11, outputs: 5, rank: 2, rows: [1, 129], transposed: true},
]

describe('the adapted linear layer', () => {
  test.each(SIZES)('equals its meaning in value and every gradient for %j', async (sizes) => {
    expect(await faultsAgainstMeaning(linear, linearInputs(sizes))).toEqual({})
  })

  test.each([...SIZES, {bias: true, inputs: 11, outputs: 37, rank: 2, rows: [1000]}])(
    'agrees with numeric differences for %j',
    async (sizes) => {
      expect(await faultsAgainstNumbers(linear, linearInputs(sizes))).toEqual({})
    },
  )

  test('does not hide a NaN', async () => {
    const inputs = linearInputs({bias: true, dropped: true, inputs: 6, outputs: 5, rank: 3, rows: [2, 3]})
    for (const index of [0, 4]) expect(await faultsOfNan(linear, inputs, index, ['bias'])).toEqual({})
    expect(await gradientsWithoutNan(linear, inputs, 'y')).toEqual([])
  })

  test('does not notice rows that follow, but for the rounding of sums over rows', async () => {
    const inputs = linearInputs({bias: true, dropped: true, inputs: 37, outputs: 11, rank: 3, rows: [2, 61]})
    expect(await faultsOfPadding(linear, inputs, ['x', 'updateX'], {extra: 9, rounded: true})).toEqual({})
  })

  test('multiplies nothing for a frozen input', async () => {
    await useBackend('wasm')
    const inputs = linearInputs({bias: true, inputs: 6, outputs: 5, rank: 3, rows: [4]})
    const products = async (...wanted: string[]): Promise<number> => {
      const {count} = await workOf(() => evaluate(linear.call, inputs, wanted))
      return count('BatchMatMul') + count('transposedProduct')
    }
    const forward = 3
    const shared = 1 // of the gradients of x, down and up
    expect(await products('down')).toBe(forward + shared + 1)
    expect(await products('down', 'up')).toBe(forward + shared + 3)
    expect(await products('x', 'down')).toBe(forward + shared + 3)
    expect(await products('x', 'weight', 'down', 'up')).toBe(forward + shared + 6)
  })
})

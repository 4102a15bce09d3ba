import {describe, expect, test} from '@jest/globals'
import {bitFaultsOf} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {evaluate, valuesOf} from '../support/evaluate.js'
import {normals} from '../support/values.js'
import {faultsOfNan} from './not-a-number.js'
import {faultsAgainstMeaning, faultsAgainstNumbers} from './subject.js'
import {lookUp, lookUpInputs} from './subjects.js'

describe('the embedding', () => {
  test.each([
    [1, 1, 2, 1],
    [2, 7, 5, 3],
    [3, 64, 37, 11],
    [1, 129, 16, 32],
    [1, 1000, 5, 37],
  ])('equals its meaning in value and gradient: batch %i, length %i, %i words of %i', async (...sizes) => {
    expect(await faultsAgainstMeaning(lookUp, lookUpInputs(...sizes))).toEqual({})
    expect(await faultsAgainstNumbers(lookUp, lookUpInputs(...sizes))).toEqual({})
  })

  test('does not hide a NaN', async () => {
    for (const index of [0, 4]) {
      expect(await faultsOfNan(lookUp, lookUpInputs(2, 9, 5, 3), index, ['weight'])).toEqual({})
    }
  })

  describe.each(EVERY_BACKEND)('on %s', (backend) => {
    test('copies rows bit for bit', async () => {
      await useBackend(backend)
      const {ids, weight} = lookUpInputs(2, 9, 5, 3)
      const expected = Array.from(ids.data).flatMap((id) => [...weight.data.subarray(id * 3, id * 3 + 3)])
      expect(bitFaultsOf(await valuesOf(lookUp.call, {ids, weight}), {y: Float32Array.from(expected)})).toEqual({})
    })

    test('passes a NaN on to the gradient of its row only, and unused rows get exactly zero', async () => {
      await useBackend(backend)
      const inputs = lookUpInputs(1, 6, 5, 2)
      const {dWeight} = await evaluate(lookUp.call, inputs, ['weight'], (_, size) => {
        const cotangent = new Float32Array(size).fill(1)
        cotangent[0] = Number.NaN
        return cotangent
      })
      const first = 2 * inputs.ids.data[0]
      expect(Array.from(dWeight.keys()).filter((index) => Number.isNaN(dWeight[index]))).toEqual([first])
      expect([...dWeight.subarray(8)]).toEqual([0, 0])
    })

    test('does not notice steps that follow', async () => {
      await useBackend(backend)
      const inputs = lookUpInputs(1, 20, 7, 3)
      const padded = {...inputs, ids: {data: Int32Array.of(...inputs.ids.data, 0, 0, 6), shape: [1, 23]}}
      const cotangent = normals('of 20 steps')([60]).data
      const ofHead = (_: string, size: number): Float32Array =>
        Float32Array.from({length: size}, (__, index) => cotangent[index] ?? 0)
      const {dWeight, y} = await evaluate(lookUp.call, padded, ['weight'], ofHead)
      const expected = await evaluate(lookUp.call, inputs, ['weight'], ofHead)
      expect(bitFaultsOf({dWeight, y: y.subarray(0, 60)}, expected)).toEqual({})
    })
  })
})

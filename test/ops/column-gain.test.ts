import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {columnGain} from '../../src/ops/column-gain/column-gain.js'
import {type Named, normals, type Numbers} from '../support/values.js'
import {faultsOfNan} from './not-a-number.js'
import {faultsAgainstMeaning, faultsAgainstNumbers, faultsOfRepeating, type Subject} from './subject.js'

const gain: Subject = {
  call: ({gain: factors, z}) => ({y: columnGain(z, factors as tf.Tensor1D)}),
  differentiable: ['z', 'gain'],
  exact: ({gain: factors, z}): Numbers => ({
    y: Float64Array.from(z.data, (value, index) => value * factors.data[index % factors.data.length]),
  }),
  meaning: ({gain: factors, z}) => ({y: tf.mul(z, factors)}),
  name: 'column gain',
}

function gainInputs(shape: readonly number[]): Named {
  const normal = normals(`gain ${shape.join()}`)
  return {gain: normal([shape[shape.length - 1]], 1, 0.3), z: normal(shape)}
}

describe('columns times gains', () => {
  test.each([[[5, 1]], [[1, 3]], [[2, 7, 11]], [[3, 64, 40]], [[700, 36]]])(
    'equal their meaning, and numeric differences, for %j',
    async (shape) => {
      expect(await faultsAgainstMeaning(gain, gainInputs(shape))).toEqual({})
      expect(await faultsAgainstNumbers(gain, gainInputs(shape))).toEqual({})
    },
  )

  test('give the same bits again', async () => {
    expect(await faultsOfRepeating(gain, gainInputs([3, 64, 40]))).toEqual({})
  })

  test('do not hide a NaN', async () => {
    for (const index of [0, 5]) expect(await faultsOfNan(gain, gainInputs([2, 3, 6]), index)).toEqual({})
  })
})

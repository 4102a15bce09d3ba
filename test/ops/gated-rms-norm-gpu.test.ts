/** The gated RMSNorm on the GPU: rows of every width, and how inputs and gradients may be stored. */
import {expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {gatedNormOnGpu} from '../../src/ops/gated-rms-norm/gated-rms-norm.gpu.js'
import {defineFusion} from '../../src/ops/operation.js'
import {rmsNormReference} from '../../src/ops/rms-norm/rms-norm.reference.js'
import {bitFaultsOf, type Faults, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {F16, halved, roundedCotangent, roundedInputs, sliced} from '../support/stored.js'
import {type Named, normals} from '../support/values.js'

const EPSILON = 1e-5

const operation = defineFusion({elsewhere: () => [], gpu: gatedNormOnGpu, name: 'TestGatedNorm'})
const call: Call = (tensors) => ({y: operation(tensors, {epsilon: EPSILON})[0]})
const meaning: Call = ({weight, x, z}) => ({
  y: rmsNormReference(tf.mul(x, tf.mul(z, tf.sigmoid(z))), weight as tf.Tensor1D, EPSILON),
})

const WANTED = ['x', 'z', 'weight']

function inputsOf(shape: readonly number[]): Named {
  const normal = normals(`gated norm ${shape.join()}`)
  return {weight: normal([shape[shape.length - 1]], 1, 0.5), x: normal(shape), z: normal(shape)}
}

async function faultsFor(shape: readonly number[], changed: Call = call): Promise<Faults> {
  const inputs = inputsOf(shape)
  await useBackend('cpu')
  const expected = await evaluate(meaning, inputs, WANTED)
  await useGpu()
  return faultsOf(await evaluate(changed, inputs, WANTED), expected)
}

describeGpu('the gated RMS norm on the GPU', () => {
  test.each([[[1, 3]], [[300, 64]], [[2, 3, 256]], [[7, 257]], [[33, 1536]], [[3, 5120]]])(
    'equals its meaning in value and every gradient for %j',
    async (shape) => {
      expect(await faultsFor(shape)).toEqual({})
    },
  )

  test('reads z out of wider rows', async () => {
    for (const columns of [37, 768]) {
      expect(await faultsFor([5, columns], ({z, ...rest}) => call({...rest, z: sliced(z)}))).toEqual({})
    }
  })

  test('reads and writes f16', async () => {
    const inputs = roundedInputs(inputsOf([20, 768]))
    await useBackend('cpu')
    const expected = await evaluate(meaning, inputs, WANTED, roundedCotangent)
    await useGpu({precision: 'f16'})
    const inHalf: Call = ({weight, x, z}) => ({
      y: halved(call({weight, x: halved(x), z: sliced(z, halved)}).y),
    })
    expect(faultsOf(await evaluate(inHalf, inputs, WANTED, roundedCotangent), expected, F16)).toEqual({})
  })

  test('has the same bits again', async () => {
    await useGpu()
    const run = (): ReturnType<typeof evaluate> => evaluate(call, inputsOf([100, 768]), WANTED)
    expect(bitFaultsOf(await run(), await run())).toEqual({})
  })
})

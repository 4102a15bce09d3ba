/** RMSNorm on the GPU, alone and after an addition: rows of every width, and how inputs and gradients may be stored. */
import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {addRmsNorm} from '../../src/ops/rms-norm/add-rms-norm.js'
import {rmsNorm} from '../../src/ops/rms-norm/rms-norm.js'
import {addRmsNormReference} from '../../src/ops/rms-norm/rms-norm.reference.js'
import {normBackwardShader, normForwardShader, normWeightShader} from '../../src/ops/rms-norm/rms-norm.wgsl.js'
import {splitColumns} from '../../src/ops/rows.js'
import {bitFaultsOf, type Faults, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {F16, halved, roundedCotangent, roundedInputs} from '../support/stored.js'
import {type Named, normals} from '../support/values.js'
import {openChecker} from './shader-check.js'
import {faultsAgainstMeaning, faultsAgainstNumbers, type Subject, wantedOf} from './subject.js'
import {norm, normInputs, plainNorm} from './subjects.js'

const asVector = (weight: tf.Tensor): tf.Tensor1D => weight as tf.Tensor1D

function addNorm(epsilon = 1e-5): Subject {
  return {
    call: ({hidden, update, weight}) => ({...addRmsNorm(hidden, update, asVector(weight), epsilon)}),
    differentiable: ['hidden', 'update', 'weight'],
    exact({hidden, update, weight}) {
      const sum = Float64Array.from(hidden.data, (value, index) => value + update.data[index])
      const {y} = norm(epsilon).exact({weight, x: {data: sum, shape: hidden.shape}})
      return {normed: y, sum}
    },
    meaning: ({hidden, update, weight}) => ({...addRmsNormReference(hidden, update, asVector(weight), epsilon)}),
    name: 'addition and RMS norm',
  }
}

function addNormInputs(shape: readonly number[]): Named {
  const {weight, x} = normInputs(shape)
  return {hidden: x, update: normals(`update ${shape.join()}`)(shape), weight}
}

// With one column a large ε keeps the slope within reach of f32: see rms-norm.test.ts.
const SHAPES = [
  {epsilon: 0.3, shape: [7, 1]},
  {epsilon: 1e-5, shape: [1, 3]},
  {epsilon: 1e-5, shape: [300, 64]},
  {epsilon: 1e-5, shape: [2, 3, 256]},
  {epsilon: 1e-5, shape: [7, 257]},
  {epsilon: 1e-5, shape: [33, 768]},
  {epsilon: 1e-5, shape: [3, 2560]},
]

/** Against the meaning in f16: what `store` returns replaces inputs, and gradients of `normed` come in f16. */
async function faultsInHalf(subject: Subject, inputs: Named, store: Call): Promise<Faults> {
  const rounded = roundedInputs(inputs)
  const wanted = wantedOf(subject, rounded)
  await useBackend('cpu')
  const expected = await evaluate(subject.meaning, rounded, wanted, roundedCotangent)
  await useGpu({precision: 'f16'})
  const call: Call = (tensors) => {
    const {normed, y, ...rest} = subject.call({...tensors, ...store(tensors)})
    return {...rest, ...(normed ? {normed: halved(normed)} : {y: halved(y)})}
  }
  return faultsOf(await evaluate(call, rounded, wanted, roundedCotangent), expected, F16)
}

test.each(SHAPES)('addition and norm equal their meaning on every backend for %j', async ({epsilon, shape}) => {
  expect(await faultsAgainstMeaning(addNorm(epsilon), addNormInputs(shape))).toEqual({})
})

test('addition and norm agree with numeric differences on every backend', async () => {
  expect(await faultsAgainstNumbers(addNorm(), addNormInputs([7, 37]))).toEqual({})
})

describeGpu('the RMS norm on the GPU', () => {
  test.each(SHAPES)('equals its meaning in value and every gradient for %j', async ({epsilon, shape}) => {
    const inputs = normInputs(shape)
    await useBackend('cpu')
    const expected = await evaluate(norm(epsilon).meaning, inputs, ['x', 'weight'])
    await useGpu()
    expect(faultsOf(await evaluate(norm(epsilon).call, inputs, ['x', 'weight']), expected)).toEqual({})
  })

  test.each([
    [300, 64],
    [7, 768],
  ])('reads and writes f16 in %i rows of %i', async (...shape) => {
    expect(await faultsInHalf(norm(), normInputs(shape), ({x}) => ({x: halved(x)}))).toEqual({})
    expect(await faultsInHalf(addNorm(), addNormInputs(shape), ({update}) => ({update: halved(update)}))).toEqual({})
  })

  test('keeps the sum in f32 and stores what products read in f16', async () => {
    const backend = await useGpu({precision: 'f16'})
    let formats: string[] = []
    const call: Call = ({hidden, update, weight}) => {
      const outputs = addRmsNorm(hidden, halved(update), asVector(weight), 1e-5)
      formats = [backend.formatOf(outputs.sum), backend.formatOf(outputs.normed)]
      return {...outputs}
    }
    await evaluate(call, addNormInputs([3, 16]), ['update'])
    expect(formats).toEqual(['f32', 'f16'])
  })

  test.each(['sum', 'normed'])('gives gradients where only `%s` is used', async (name) => {
    const inputs = addNormInputs([3, 16])
    const wanted = wantedOf(addNorm(), inputs)
    const only =
      (call: Call): Call =>
      (tensors) => ({[name]: call(tensors)[name]})
    await useBackend('cpu')
    const asked = name === 'sum' ? ['hidden', 'update'] : wanted
    const expected = await evaluate(only(addNorm().meaning), inputs, asked)
    await useGpu()
    expect(faultsOf(await evaluate(only(addNorm().call), inputs, asked), expected)).toEqual({})
  })

  test('has the same bits again', async () => {
    for (const precision of ['f16', 'f32'] as const) {
      await useGpu({precision})
      const inputs = addNormInputs([100, 768])
      const run = (): ReturnType<typeof evaluate> => evaluate(addNorm().call, inputs, wantedOf(addNorm(), inputs))
      expect(bitFaultsOf(await run(), await run())).toEqual({})
    }
  })
})

describe('the RMS norm without a weight', () => {
  test.each([
    {columns: 16, from: 8, width: 40},
    {columns: 5, from: 3, width: 13},
    {columns: 256, from: 0, width: 288},
    {columns: 8, from: 7, width: 23},
  ])('equals its meaning on every backend where x is a slice of columns: %j', async ({columns, from, width}) => {
    const inputs = {all: normals(`slice ${columns} ${width}`)([3, 7, width])}
    const sliced =
      (of: Subject): Subject['call'] =>
      ({all}) =>
        of.call({x: splitColumns(all, [from, columns, width - from - columns].filter(Boolean))[from ? 1 : 0]})
    const subject: Subject = {
      ...plainNorm(),
      call: sliced(plainNorm()),
      differentiable: ['all'],
      meaning: ({all}) => plainNorm().meaning({x: tf.slice(all, [0, 0, from], [3, 7, columns])}),
    }
    expect(await faultsAgainstMeaning(subject, inputs)).toEqual({})
  })

  test('stays in f32 on the GPU, whatever activations are stored as', async () => {
    const backend = await useGpu({precision: 'f16'})
    const formats: string[] = []
    await evaluate(
      ({x}) => {
        const y = rmsNorm(x, null, 1e-5)
        formats.push(backend.formatOf(y))
        return {y}
      },
      {x: normals('f32')([3, 16])},
      ['x'],
    )
    expect(formats).toEqual(['f32'])
  })
})

test('the shaders of the RMS norm compile', async () => {
  const checker = await openChecker({
    bindingBytes: 2 ** 31,
    f16: true,
    matrixUnits: false,
    subgroupSize: 32,
    workgroupBytes: 48 * 1024,
    workgroupInvocations: 1024,
  })
  try {
    for (const columns of [3, 768, 2560, 8192]) {
      const format = columns === 3 ? 'f32' : 'f16'
      for (const update of [null, format] as const) {
        expect(
          await checker.faultOf(normForwardShader({columns, normed: format, update, weight: true, x: 'f32'})),
        ).toBeNull()
        const formats = {dNormed: format, dSum: update && 'f32', dUpdate: update, dX: 'f32', weight: true} as const
        expect(await checker.faultOf(normBackwardShader({columns, ...formats, x: 'f32'}))).toBeNull()
      }
      expect(await checker.faultOf(normWeightShader(columns, 'f32', format))).toBeNull()
    }
  } finally {
    checker.close()
  }
})

import {afterEach, describe, expect, jest, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../../src/backend/gpu/gpu-backend.js'
import {type ShaderHost} from '../../src/backend/gpu/launch.js'
import {type DeviceFacts} from '../../src/backend/gpu/shader.js'
import {linearCrossEntropyOnGpu} from '../../src/ops/linear-cross-entropy/linear-cross-entropy.gpu.js'
import {toTensors} from '../../src/ops/operation.js'
import {type Tolerance} from '../support/close.js'
import {bitFaultsOf, faultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type Call, evaluate, type Results, valuesOf} from '../support/evaluate.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'
import {numericFaults} from '../support/numeric-differences.js'
import {mapNamed, type Named, type Tensors, toTensor} from '../support/values.js'
import {headLossF64} from './f64-linear-cross-entropy.js'
import {coarseInputs, inHalf} from './half.js'
import {headLoss, headLossInputs, type HeadLossSizes} from './subjects.js'

const WANTED = ['hidden', 'weight']

/** dLogits in f16 are rounded by half a unit of 2⁻¹⁰ each, and a gradient is a sum of them. */
const HALF: Tolerance = {absolute: 2 ** -11, relative: 2 ** -10}

const SIZES: readonly HeadLossSizes[] = [
  {inner: 64, rows: 1, vocabulary: 5},
  {ignoredEvery: 4, inner: 3, rows: 9, vocabulary: 257},
  {ignoredEvery: 3, inner: 64, rows: 70, vocabulary: 2048},
  {inner: 8, rows: 20, vocabulary: 2048},
]

/** Inputs whose logits are a few units large whatever the width. */
function mildInputs(sizes: HeadLossSizes): Named {
  const {hidden, ...rest} = headLossInputs(sizes)
  const data = hidden.data.map((value) => value * sizes.inner ** -0.5)
  return coarseInputs({...rest, hidden: {...hidden, data}})
}

async function meaningOf(inputs: Named): Promise<Results> {
  await useBackend('cpu')
  return evaluate(headLoss.meaning, inputs, WANTED)
}

/** The head with every matrix in f16 that may be. */
const halfHead: Call = (tensors: Tensors): Tensors => {
  const stored = mapNamed(tensors, (tensor, name) =>
    name !== 'labels' && (tensor.shape[1] ?? 1) % 8 === 0 ? inHalf(tensor) : tensor,
  )
  return headLoss.call(stored)
}

/** A backend that takes its device for another. */
function withFacts(backend: GpuBackend, other: Partial<DeviceFacts>): ShaderHost {
  const facts: DeviceFacts = {...backend.facts, ...other}
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'facts') return facts
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

/** Loss and gradients by way of the definition, so that the host can be another. */
function evaluateOn(host: ShaderHost, inputs: Named): Promise<Results> {
  return expectNoLeak(async () => {
    const tensors = tf.tidy(() => {
      const {value, gradient} = linearCrossEntropyOnGpu
      const named = mapNamed(inputs, toTensor)
      const {outputs, saved = []} = value(named, {recording: true, settings: {}}, host)
      const {hidden, inner, up, weight} = gradient([tf.scalar(1)], named, {}, host, toTensors(saved), {})
      const update = 'inner' in inputs ? {dInner: inner(), dUp: up()} : {}
      return {dHidden: hidden(), dWeight: weight(), ...update, loss: toTensors(outputs)[0]}
    })
    const results: Results = {}
    for (const [name, tensor] of Object.entries(tensors)) results[name] = (await tensor.data<'float32'>()).slice()
    tf.dispose(tensors)
    return results
  })
}

describeGpu('the linear cross-entropy on the GPU', () => {
  afterEach(() => {
    jest.restoreAllMocks()
  })

  test.each(SIZES)('equals its meaning with f32 for %j', async (sizes) => {
    const inputs = mildInputs(sizes)
    const expected = await meaningOf(inputs)
    await useGpu()
    const results = await evaluate(headLoss.call, inputs, WANTED)
    expect(faultsOf(results, expected)).toEqual({})
    expect(faultsOf({loss: results.loss}, headLossF64(inputs), {absolute: 0, relative: 2 ** -20})).toEqual({})
    expect(numericFaults(headLossF64, inputs, WANTED, results)).toEqual({})
  })

  test.each(SIZES)('equals its meaning with f16 for %j', async (sizes) => {
    const inputs = mildInputs(sizes)
    const expected = await meaningOf(inputs)
    await useGpu({precision: 'f16'})
    const results = await evaluate(headLoss.call, inputs, WANTED)
    expect(faultsOf(results, expected, HALF)).toEqual({})
    const values = await valuesOf(halfHead, inputs)
    expect(faultsOf(values, {loss: expected.loss})).toEqual({})
  })

  test.each(['f32', 'f16'] as const)(
    'with an update equals its meaning with %s, in one piece and in several',
    async (precision) => {
      const wanted = [...WANTED, 'inner', 'up']
      const inputs = mildInputs({ignoredEvery: 3, inner: 64, rank: 8, rows: 70, vocabulary: 256})
      await useBackend('cpu')
      const expected = await evaluate(headLoss.meaning, inputs, wanted)
      const backend = await useGpu({precision})
      const tolerance = precision === 'f16' ? HALF : undefined
      expect(faultsOf(await evaluate(headLoss.call, inputs, wanted), expected, tolerance)).toEqual({})
      const small = withFacts(backend, {bindingBytes: 4 * 256 * 16})
      expect(faultsOf(await evaluateOn(small, inputs), await evaluateOn(backend, inputs), tolerance)).toEqual({})
    },
  )

  test('keeps probabilities in f16 that f16 cannot hold', async () => {
    // One sure word and 2,047 others of probability 4e-8 each, whose gradients would all be zero.
    const inner = 8
    const weight = new Float32Array(2048 * inner).map((_, index) => (index % inner === 0 ? 1 : 0))
    weight[0] = 18
    const hidden = Float32Array.from({length: inner}, (_, index) => (index === 0 ? 1 : 0))
    const inputs: Named = {
      hidden: {data: hidden, shape: [1, inner]},
      labels: {data: Int32Array.of(1), shape: [1]},
      weight: {data: weight, shape: [2048, inner]},
    }
    const {dWeight: expected} = await meaningOf(inputs)
    await useGpu({precision: 'f16'})
    const {dWeight} = await evaluate(headLoss.call, inputs, WANTED)
    const tails = (values: Float32Array): number[] => [...values].filter((_, i) => i % inner === 0 && i >= 2 * inner)
    expect(tails(expected).every((value) => value > 0 && value < 2 ** -24)).toBe(true)
    expect(faultsOf({tails: tails(dWeight)}, {tails: tails(expected)}, HALF)).toEqual({})
  })

  describe.each(['f32', 'f16'] as const)('with %s', (precision) => {
    test('gives the same bits again', async () => {
      await useGpu({precision})
      const inputs = mildInputs({ignoredEvery: 5, inner: 64, rows: 70, vocabulary: 257})
      expect(
        bitFaultsOf(await evaluate(headLoss.call, inputs, WANTED), await evaluate(headLoss.call, inputs, WANTED)),
      ).toEqual({})
    })
  })

  test.each(['f32', 'f16'] as const)('gives the same with %s in several pieces', async (precision) => {
    const [rows, piece] = [132, 32]
    const backend = await useGpu({precision})
    const inputs = mildInputs({ignoredEvery: 3, inner: 8, rows, vocabulary: 40})
    const expected = await evaluateOn(backend, inputs)
    const launch = jest.spyOn(backend, 'launch')
    const host = withFacts(backend, {bindingBytes: 4 * 40 * piece})
    expect(faultsOf(await evaluateOn(host, inputs), expected)).toEqual({})
    const sums = launch.mock.calls.filter(([{shader}]) => shader.name === 'linear cross-entropy, sum').length
    expect(sums).toBe(Math.ceil((64 * Math.ceil(((2 / 3) * rows) / 64)) / piece)) // padded to a multiple of 64
  })

  test.each([64, 200])('gives the same on a device with workgroups of %i', async (workgroupInvocations) => {
    const backend = await useGpu()
    const inputs = mildInputs({ignoredEvery: 3, inner: 3, rows: 9, vocabulary: 257})
    const host = withFacts(backend, {workgroupInvocations})
    expect(faultsOf(await evaluateOn(host, inputs), await evaluateOn(backend, inputs))).toEqual({})
  })

  test('adds the losses of many rows', async () => {
    await useGpu()
    const inputs = mildInputs({inner: 3, rows: 20_000, vocabulary: 5})
    const {loss} = await valuesOf(headLoss.call, inputs)
    // A loss goes through 79 additions of its thread and 8 of the tree.
    expect(faultsOf({loss}, headLossF64(inputs), {absolute: 0, relative: 90 * 2 ** -24})).toEqual({})
  })

  test('computes logits once and dHidden with the loss, but only where a gradient may be asked for', async () => {
    const backend = await useGpu()
    const inputs = mildInputs({inner: 8, rows: 20, vocabulary: 40})
    const launch = jest.spyOn(backend, 'launch')
    const products = (): number => launch.mock.calls.filter(([{shader}]) => /^matrix product/.test(shader.name)).length
    await valuesOf(headLoss.call, inputs)
    expect(products()).toBe(1)
    launch.mockClear()
    await evaluate(headLoss.call, inputs, ['hidden'])
    expect(products()).toBe(2)
  })
})

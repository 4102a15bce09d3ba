import {expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../../src/backend/gpu/launch.js'
import {
  accumulateOnGpu,
  type AdamwArenas,
  type AdamwStepSettings,
  normOnGpu,
  stepOnGpu,
} from '../../src/ops/adamw/adamw.gpu.js'
import {adamwStep} from '../../src/ops/adamw/adamw.js'
import {faultsOf} from '../support/compare.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'
import {normals} from '../support/values.js'

const SETTINGS: AdamwStepSettings = {
  beta1: 0.9,
  beta2: 0.999,
  clipNorm: null,
  epsilon: 1e-8,
  learningRate: 0.01,
  step: 1,
  weightDecay: 0,
}

const STEPS = 5

const random = (name: string, size: number, deviation = 1): Float32Array =>
  normals(`adamw ${name}`)([size], 0, deviation).data as Float32Array

const normOf = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values))

interface State {
  readonly values: Float32Array
  readonly m: Float32Array
  readonly v: Float32Array
}

const startOf = (size: number): State => ({
  m: new Float32Array(size),
  v: new Float32Array(size),
  values: random('values', size),
})

/** Gradients of very different sizes within one tensor. */
const gradientOf = (step: number, size: number): Float32Array =>
  random(`gradient ${step}`, size).map((value, index) => value * 10 ** ((index % 7) - 4))

/** Some steps with the shaders. Nothing stays on the device. */
function stepsOnGpu(
  host: ShaderHost,
  {m, v, values}: State,
  gradients: readonly Float32Array[],
  settings: AdamwStepSettings,
): Promise<State & {readonly gradients: Float32Array}> {
  return expectNoLeak(async () => {
    const [first, second, third] = [values, m, v].map((data) => tf.tensor1d(data))
    const zeros = tf.zeros([values.length])
    const arenas = {gradients: zeros, m: second, v: third, values: first} satisfies AdamwArenas
    for (const [index, gradient] of gradients.entries()) {
      tf.tidy(() => {
        host.overwrite(zeros, gradient)
        stepOnGpu(host, arenas, normOnGpu(host, zeros), {...settings, step: settings.step + index})
      })
    }
    const read = async (tensor: tf.Tensor): Promise<Float32Array> => (await tensor.data<'float32'>()).slice()
    const result = {
      gradients: await read(zeros),
      m: await read(second),
      v: await read(third),
      values: await read(first),
    }
    tf.dispose([first, second, third, zeros])
    return result
  })
}

/** The same with the loop over arrays. */
function stepsOnHost(start: State, gradients: readonly Float32Array[], settings: AdamwStepSettings): State {
  const {clipNorm, ...rest} = settings
  const [m, v, values] = [start.m.slice(), start.v.slice(), start.values.slice()]
  for (const [index, gradient] of gradients.entries()) {
    const gradientScale = clipNorm === null ? 1 : Math.min(1, clipNorm / (normOf(gradient) + 1e-6))
    adamwStep(values, gradient, {m, v}, {...rest, gradientScale, step: settings.step + index})
  }
  return {m, v, values}
}

describeGpu('AdamW on the GPU', () => {
  test.each<[string, number, Partial<AdamwStepSettings>]>([
    ['as it is', 64, {}],
    ['with many workgroups', 70_400, {}],
    ['with weight decay', 192, {weightDecay: 0.1}],
    ['with clipping', 192, {clipNorm: 0.5}],
    ['with a limit that the norm never reaches', 64, {clipNorm: 1e6}],
    ['with a limit of zero', 64, {clipNorm: 0}],
    ['with other betas', 64, {beta1: 0.5, beta2: 0.8}],
    ['without momentum', 64, {beta1: 0, beta2: 0}],
    ['with an epsilon that counts', 64, {epsilon: 0.1}],
    ['in its thousandth step', 64, {step: 1000}],
    ['with all at once', 448, {beta1: 0.8, beta2: 0.99, clipNorm: 1, epsilon: 1e-3, weightDecay: 0.05}],
  ])('%s moves %i numbers as the loop in f64 does', async (_, size, parts) => {
    const host = await useGpu()
    const settings = {...SETTINGS, ...parts}
    const gradients = Array.from({length: STEPS}, (__, step) => gradientOf(step, size))
    const {gradients: left, ...actual} = await stepsOnGpu(host, startOf(size), gradients, settings)
    const expected = stepsOnHost(startOf(size), gradients, settings)
    // A dozen roundings a step, each by half a unit of the change, the value or the moment; subtraction cancels in m.
    const roundoff = 12 * STEPS * 2 ** -24
    const moved = STEPS * settings.learningRate * (settings.beta2 === 0 ? 1 : 4)
    const wrong = [...actual.values].filter((value, i) => {
      const allowed = roundoff * (Math.abs(expected.values[i]) + moved)
      return !(Math.abs(value - expected.values[i]) <= allowed)
    })
    expect(wrong).toEqual([])
    expect(faultsOf({v: actual.v}, {v: expected.v}, {absolute: 0, relative: roundoff})).toEqual({})
    expect(faultsOf({m: actual.m}, {m: expected.m}, {absolute: roundoff, relative: roundoff})).toEqual({})
    expect(left.every((value) => value === 0)).toBe(true)
  })

  test('clips a norm as small as what is added to it', async () => {
    const host = await useGpu()
    const gradient = random('tiny', 64, 1e-7)
    const settings = {...SETTINGS, clipNorm: 1e-7}
    const {m} = await stepsOnGpu(host, startOf(64), [gradient], settings)
    expect(faultsOf({m}, {m: stepsOnHost(startOf(64), [gradient], settings).m})).toEqual({})
  })

  test.each([Number.NaN, Infinity, -Infinity])(
    'leaves values and moments as they are where a gradient is %p, and forgets it',
    async (bad) => {
      const host = await useGpu()
      const state = {m: random('m', 192), v: random('v', 192).map(Math.abs), values: random('values', 192)}
      const spoilt = gradientOf(0, 192)
      spoilt[77] = bad
      const settings = {...SETTINGS, clipNorm: 1, weightDecay: 0.1}
      const {gradients, ...after} = await stepsOnGpu(host, state, [spoilt], settings)
      expect(after).toEqual(state)
      expect(gradients).toEqual(new Float32Array(192))
    },
  )

  test('gives the same bits again', async () => {
    const host = await useGpu()
    const gradients = [gradientOf(0, 70_400), gradientOf(1, 70_400)]
    const run = (): Promise<State> => stepsOnGpu(host, startOf(70_400), gradients, {...SETTINGS, clipNorm: 1})
    expect(await run()).toEqual(await run())
  })
})

describeGpu('the global norm on the GPU', () => {
  test.each([4, 64, 4096, 70_400, 1_100_000])('of %i numbers', async (size) => {
    const host = await useGpu()
    const values = random('norm', size)
    const [norm] = await expectNoLeak(async () => {
      const result = tf.tidy(() => normOnGpu(host, tf.tensor1d(values)))
      const data = await result.data()
      result.dispose()
      return data
    })
    const expected = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
    expect(Math.abs(norm / expected - 1)).toBeLessThan(2 ** -20)
  })
})

describeGpu('gradients on the GPU', () => {
  // Twelve gradients go into one dispatch; a workgroup adds 1024 numbers.
  test.each([1, 2, 12, 13, 30])('of %i tensors are added where they belong', async (count) => {
    const host = await useGpu()
    const sizes = Array.from({length: count}, (_, index) => [1, 5, 64, 1023, 1025, 3000][index % 6])
    const starts: number[] = []
    let size = 0
    for (const length of sizes) {
      starts.push(size)
      size += 64 * Math.ceil(length / 64)
    }
    const before = random('arena', size)
    const expected = before.slice()
    // Every third tensor has no gradient this time, and the order is another.
    const placed = sizes
      .map((length, row) => ({data: random(`tensor ${row}`, length), row}))
      .filter(({row}) => row % 3 !== 2)
      .reverse()
    for (const {data, row} of placed) data.forEach((value, i) => (expected[starts[row] + i] += 0.25 * value))
    const actual = await expectNoLeak(async () => {
      const arena = tf.tidy(() => {
        const whole = tf.tensor1d(before)
        const layout = tf.tensor2d(sizes.flatMap((length, row) => [starts[row], length]), [count, 2], 'int32') // prettier-ignore
        const gradients = placed.map(({data, row}) => ({gradient: tf.tensor1d(data), row}))
        accumulateOnGpu(host, whole, layout, gradients, 0.25)
        return whole
      })
      const data = (await arena.data<'float32'>()).slice()
      arena.dispose()
      return data
    })
    // A quarter is exact; the sum is rounded once.
    expect(actual).toEqual(expected)
  })
})

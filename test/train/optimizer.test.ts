import {afterEach, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'
import {HostAdamW} from '../../src/train/host-optimizer.js'
import {type OptimizerSettings} from '../../src/train/optimizer.js'
import {useBackend} from '../support/device.js'

const SHAPES: ReadonlyMap<string, number[]> = new Map([
  ['adapters.0.a', [3, 4]],
  ['adapters.0.b', [5]],
])
const STEPS = 12
const RATES = Array.from({length: STEPS}, (_, step) => 1e-2 * (1 + step))

const SETTINGS: OptimizerSettings = {beta1: 0.9, beta2: 0.999, clipNorm: null, epsilon: 1e-8, weightDecay: 0}

const OWN = new Map([['adapters.0.b', {learningRate: 0.25, weightDecay: 3}]])

function normals(name: string, step: number, count: number, size: number): Float32Array {
  const random = new RandomStream(step, name)
  return Float32Array.from({length: count}, () => size * random.normal())
}

const start = (name: string, count: number): Float32Array => normals(name, -1, count, 1)
/** Gradients of very different sizes; the first tensor's are tiny. */
const gradient = (name: string, step: number, count: number): Float32Array =>
  normals(name, step, count, name.endsWith('a') ? 1e-4 : 3)

/** PyTorch's AdamW with clip_grad_norm_, in f64, as its documentation writes it; `values` by tensor. */
function plainAdamW({beta1, beta2, clipNorm, epsilon, rates, weightDecay}: OptimizerSettings): Map<string, number[]> {
  const values = new Map([...SHAPES].map(([name, shape]) => [name, [...start(name, sizeOf(shape))]]))
  const m = new Map([...values].map(([name, list]) => [name, list.map(() => 0)]))
  const v = new Map([...values].map(([name, list]) => [name, list.map(() => 0)]))
  for (const [step, rate] of RATES.entries()) {
    const gradients = new Map([...values].map(([name, list]) => [name, [...gradient(name, step, list.length)]]))
    const norm = Math.sqrt([...gradients.values()].flat().reduce((sum, g) => sum + g ** 2, 0))
    const clip = clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6))
    for (const [name, list] of values) {
      const own = rates?.get(name) ?? {learningRate: 1, weightDecay: 1}
      const moments = {first: m.get(name) ?? [], second: v.get(name) ?? []}
      for (const [i, raw] of (gradients.get(name) ?? []).entries()) {
        const g = clip * raw
        moments.first[i] = beta1 * moments.first[i] + (1 - beta1) * g
        moments.second[i] = beta2 * moments.second[i] + (1 - beta2) * g ** 2
        const mean = moments.first[i] / (1 - beta1 ** (step + 1))
        const square = moments.second[i] / (1 - beta2 ** (step + 1))
        list[i] -= own.learningRate * rate * own.weightDecay * weightDecay * list[i]
        list[i] -= (own.learningRate * rate * mean) / (Math.sqrt(square) + epsilon)
      }
    }
  }
  return values
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1)

describe('AdamW on the host', () => {
  let variables: Map<string, tf.Variable>
  let optimizer: HostAdamW

  beforeAll(() => useBackend('wasm'))

  afterEach(() => {
    optimizer.dispose()
    for (const variable of variables.values()) variable.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  function prepare(settings: OptimizerSettings): void {
    variables = new Map(
      [...SHAPES].map(([name, shape]) => [
        name,
        tf.tidy(() => tf.variable(tf.tensor(start(name, sizeOf(shape)), shape))),
      ]),
    )
    optimizer = new HostAdamW(variables, settings)
  }

  type Arrays = ReadonlyMap<string, Float32Array>

  const gradientsOf = (step: number): Arrays =>
    new Map([...SHAPES].map(([name, shape]) => [name, gradient(name, step, sizeOf(shape))]))

  async function accumulate(gradients: Arrays, scale = 1): Promise<void> {
    const tensors = new Map([...gradients].map(([name, values]) => [name, tf.tensor(values, SHAPES.get(name))]))
    await optimizer.accumulate(tensors, scale)
    for (const [name, tensor] of tensors) {
      expect(await tensor.data()).toEqual(gradients.get(name)) // neither changed nor disposed of
      tensor.dispose()
    }
  }

  const valuesNow = (): number[][] => [...variables.values()].map((variable) => [...variable.dataSync()])

  test.each<[string, Partial<OptimizerSettings>]>([
    ['as it is', {}],
    ['with weight decay', {weightDecay: 0.1}],
    ['with clipping', {clipNorm: 0.5}],
    ['with a limit that the norm never reaches', {clipNorm: 1e6}],
    ['with other betas', {beta1: 0.5, beta2: 0.8}],
    ['without momentum', {beta1: 0, beta2: 0}],
    ['with an epsilon that counts', {epsilon: 0.1}],
    ['with all at once', {beta1: 0.8, beta2: 0.99, clipNorm: 1, epsilon: 1e-3, weightDecay: 0.05}],
    ['with rates of single tensors', {rates: OWN, weightDecay: 0.1}],
  ])('%s equals a plain f64 AdamW', async (_, parts) => {
    const settings = {...SETTINGS, ...parts}
    prepare(settings)
    for (const [index, rate] of RATES.entries()) {
      await accumulate(gradientsOf(index))
      await optimizer.step(rate)
    }
    // Values and moments are rounded to f32 once a step: each step by a few units of its size, and of the value.
    const roundoff = 2 ** -24
    const moved = RATES.reduce((sum, rate) => sum + rate)
    const wrong = [...plainAdamW(settings)].flatMap(([name, expected]) => {
      const values = [...(variables.get(name)?.dataSync() ?? [])]
      const tolerance = (value: number): number => roundoff * (4 * STEPS * moved + STEPS * (Math.abs(value) + moved))
      return values.filter((value, i) => !(Math.abs(value - expected[i]) <= tolerance(expected[i])))
    })
    expect(wrong).toEqual([])
  })

  test('adds up the scaled gradients of micro-batches, and begins anew after a step', async () => {
    // Multiples of powers of two, so that sums are exact.
    const run = async (parts: readonly (readonly [number[], number])[]): Promise<[number, number[][]]> => {
      prepare(SETTINGS)
      for (const [values, scale] of parts) {
        await accumulate(new Map([['adapters.0.b', Float32Array.from(values)]]), scale)
        await accumulate(new Map(), scale)
      }
      const norm = await optimizer.step(0.1)
      const moved = valuesNow()
      expect(await optimizer.step(0)).toBe(0)
      for (const variable of variables.values()) variable.dispose()
      return [norm, moved]
    }
    const whole = await run([[[2.5, 0, 0.75, 0, -2], 1]])
    expect(whole[0]).toBe(Math.sqrt(2.5 ** 2 + 0.75 ** 2 + 2 ** 2))
    const parts = await run([
      [[1, 0, 0.5, 0, 2], 1],
      [[3, 0, 0.5, 0, -8], 0.5],
    ])
    expect(parts).toEqual(whole)
  })

  test('takes a tensor without a gradient as one whose gradient is zero', async () => {
    prepare(SETTINGS)
    const before = valuesNow()
    await accumulate(new Map([['adapters.0.b', gradient('adapters.0.b', 0, 5)]]))
    await optimizer.step(0.1)
    const after = valuesNow()
    expect(after[0]).toEqual(before[0])
    expect(after[1].filter((value, i) => value === before[1][i])).toEqual([])
  })

  test('gives the norm over all tensors together, before clipping', async () => {
    prepare({...SETTINGS, clipNorm: 0.1})
    const some = new Float32Array(12)
    some[7] = 3
    await accumulate(
      new Map([
        ['adapters.0.a', some],
        ['adapters.0.b', Float32Array.of(0, 0, -4, 0, 0)],
      ]),
    )
    expect(await optimizer.step(0.1)).toBe(5)
  })

  test.each([1e30, 1e-30])('gives a norm whose square leaves f32, of gradients of size %d', async (size) => {
    prepare(SETTINGS)
    await accumulate(new Map([['adapters.0.b', Float32Array.of(3 * size, 0, 0, 4 * size, 0)]]))
    expect((await optimizer.step(0.1)) / (5 * size)).toBeCloseTo(1, 6)
  })

  test('changes nothing when the norm is not finite, and goes on as if that step had not been', async () => {
    prepare(SETTINGS)
    await accumulate(gradientsOf(0))
    await optimizer.step(0.1)
    await accumulate(gradientsOf(1))
    await optimizer.step(0.1)
    const expected = valuesNow()
    for (const variable of variables.values()) variable.dispose()
    prepare(SETTINGS)
    await accumulate(gradientsOf(0))
    await optimizer.step(0.1)
    const before = valuesNow()
    await accumulate(new Map([['adapters.0.b', Float32Array.of(1, NaN, 1, 1, 1)]]))
    expect(await optimizer.step(0.1)).toBeNaN()
    expect(valuesNow()).toEqual(before)
    await accumulate(gradientsOf(1))
    await optimizer.step(0.1)
    expect(valuesNow()).toEqual(expected)
  })
})

import {afterEach, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'
import {AdamW, globalNorm, type OptimizerSettings} from '../../src/train/optimizer.js'
import {useBackend} from '../support/device.js'

const SHAPES: ReadonlyMap<string, number[]> = new Map([
  ['adapters.0.a', [3, 4]],
  ['adapters.0.b', [5]],
])
const STEPS = 12
const RATES = Array.from({length: STEPS}, (_, step) => 1e-2 * (1 + step))

const SETTINGS: OptimizerSettings = {beta1: 0.9, beta2: 0.999, clipNorm: null, epsilon: 1e-8, weightDecay: 0}

function normals(name: string, step: number, count: number, size: number): Float32Array {
  const random = new RandomStream(step, name)
  return Float32Array.from({length: count}, () => size * random.normal())
}

const start = (name: string, count: number): Float32Array => normals(name, -1, count, 1)
/** Gradients of very different sizes; the first tensor's are tiny. */
const gradient = (name: string, step: number, count: number): Float32Array =>
  normals(name, step, count, name.endsWith('a') ? 1e-4 : 3)

/** PyTorch's AdamW with clip_grad_norm_, in f64, as its documentation writes it; `values` by tensor. */
function plainAdamW({beta1, beta2, clipNorm, epsilon, weightDecay}: OptimizerSettings): Map<string, number[]> {
  const values = new Map([...SHAPES].map(([name, shape]) => [name, [...start(name, sizeOf(shape))]]))
  const m = new Map([...values].map(([name, list]) => [name, list.map(() => 0)]))
  const v = new Map([...values].map(([name, list]) => [name, list.map(() => 0)]))
  for (const [step, rate] of RATES.entries()) {
    const gradients = new Map([...values].map(([name, list]) => [name, [...gradient(name, step, list.length)]]))
    const norm = Math.sqrt([...gradients.values()].flat().reduce((sum, g) => sum + g ** 2, 0))
    const clip = clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6))
    for (const [name, list] of values) {
      const moments = {first: m.get(name) ?? [], second: v.get(name) ?? []}
      for (const [i, raw] of (gradients.get(name) ?? []).entries()) {
        const g = clip * raw
        moments.first[i] = beta1 * moments.first[i] + (1 - beta1) * g
        moments.second[i] = beta2 * moments.second[i] + (1 - beta2) * g ** 2
        const mean = moments.first[i] / (1 - beta1 ** (step + 1))
        const square = moments.second[i] / (1 - beta2 ** (step + 1))
        list[i] -= rate * weightDecay * list[i]
        list[i] -= (rate * mean) / (Math.sqrt(square) + epsilon)
      }
    }
  }
  return values
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1)

describe('AdamW', () => {
  let variables: Map<string, tf.Variable>
  let optimizer: AdamW

  beforeAll(() => useBackend('wasm'))

  afterEach(() => {
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
    optimizer = new AdamW(variables, settings)
  }

  test.each<[string, Partial<OptimizerSettings>]>([
    ['as it is', {}],
    ['with weight decay', {weightDecay: 0.1}],
    ['with clipping', {clipNorm: 0.5}],
    ['with a limit that the norm never reaches', {clipNorm: 1e6}],
    ['with other betas', {beta1: 0.5, beta2: 0.8}],
    ['without momentum', {beta1: 0, beta2: 0}],
    ['with an epsilon that counts', {epsilon: 0.1}],
    ['with all at once', {beta1: 0.8, beta2: 0.99, clipNorm: 1, epsilon: 1e-3, weightDecay: 0.05}],
  ])('%s equals a plain f64 AdamW', (_, parts) => {
    const settings = {...SETTINGS, ...parts}
    prepare(settings)
    for (const [index, rate] of RATES.entries()) {
      const gradients = new Map([...SHAPES].map(([name, shape]) => [name, gradient(name, index, sizeOf(shape))]))
      optimizer.step(gradients, rate, globalNorm(gradients))
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

  test('takes a tensor without a gradient as one whose gradient is zero', () => {
    prepare(SETTINGS)
    const before = [...variables.values()].map((variable) => [...variable.dataSync()])
    const gradients = new Map([['adapters.0.b', gradient('adapters.0.b', 0, 5)]])
    optimizer.step(gradients, 0.1, globalNorm(gradients))
    const after = [...variables.values()].map((variable) => [...variable.dataSync()])
    expect(after[0]).toEqual(before[0])
    expect(after[1].filter((value, i) => value === before[1][i])).toEqual([])
  })

  test('does not change the gradients that it is given', () => {
    prepare({...SETTINGS, clipNorm: 0.1})
    const gradients = new Map([...SHAPES].map(([name, shape]) => [name, gradient(name, 0, sizeOf(shape))]))
    const copies = [...gradients.values()].map((values) => values.slice())
    optimizer.step(gradients, 0.1, globalNorm(gradients))
    expect([...gradients.values()]).toEqual(copies)
  })
})

describe('the global norm', () => {
  test('is over all tensors together', () => {
    const gradients = new Map([
      ['a', Float32Array.of(3, 0)],
      ['b', Float32Array.of(-4)],
    ])
    expect(globalNorm(gradients)).toBe(5)
  })

  test('does not overflow where squares leave f32, nor lose what is tiny', () => {
    expect(globalNorm(new Map([['a', Float32Array.of(3e30, 4e30)]])) / 5e30).toBeCloseTo(1, 6)
    expect(globalNorm(new Map([['a', Float32Array.of(3e-30, 4e-30)]])) / 5e-30).toBeCloseTo(1, 6)
  })

  test('is not finite when a gradient is not', () => {
    expect(globalNorm(new Map([['a', Float32Array.of(1, NaN)]]))).toBeNaN()
  })
})

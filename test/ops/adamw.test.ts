import {describe, expect, test} from '@jest/globals'
import {type AdamwSettings, adamwStep, type Moments} from '../../src/ops/adamw/adamw.js'
import {bitFaultsOf, faultsOf} from '../support/compare.js'
import {type Tolerance} from '../support/close.js'
import {normals} from '../support/values.js'

const SETTINGS = {beta1: 0.9, beta2: 0.999, epsilon: 1e-8, gradientScale: 1, learningRate: 1e-2, weightDecay: 0.1}

/** Moments and values are rounded to f32 once a step, by 2^−24 of their size; after n steps n such errors add up. */
const roundings = (steps: number): Tolerance => ({absolute: steps * 2 ** -24, relative: steps * 2 ** -24})

const zeros = (size: number): Moments => ({m: new Float32Array(size), v: new Float32Array(size)})
const normal = (name: string, size: number): Float32Array => normals(name)([size]).data as Float32Array

interface State {
  readonly m: Float64Array
  readonly v: Float64Array
  readonly values: Float64Array
}

/** Algorithm 2 of the paper in f64, with the corrected moments spelt out. */
function paperStep({m, v, values}: State, gradient: Float32Array, settings: AdamwSettings): State {
  const {beta1, beta2, epsilon, gradientScale, learningRate, step, weightDecay} = settings
  const g = Float64Array.from(gradient, (value) => value * gradientScale)
  const nextM = m.map((value, i) => beta1 * value + (1 - beta1) * g[i])
  const nextV = v.map((value, i) => beta2 * value + (1 - beta2) * g[i] ** 2)
  const next = values.map((value, i) => {
    const corrected = nextM[i] / (1 - beta1 ** step) / (Math.sqrt(nextV[i] / (1 - beta2 ** step)) + epsilon)
    return value - learningRate * (corrected + weightDecay * value)
  })
  return {m: nextM, v: nextV, values: next}
}

function run(
  steps: number,
  size: number,
  settings: Omit<AdamwSettings, 'step'>,
): Record<'m' | 'v' | 'values', Float32Array> {
  const values = normal('values', size)
  const moments = zeros(size)
  for (let step = 1; step <= steps; step++) {
    adamwStep(values, normal(`gradient ${step}`, size), moments, {...settings, step})
  }
  return {...moments, values}
}

describe('an AdamW step', () => {
  test.each([
    ['the usual settings', {}],
    ['no weight decay', {weightDecay: 0}],
    ['a clipped gradient', {gradientScale: 0.037}],
    ['a large epsilon', {epsilon: 0.5}],
    ['short memories', {beta1: 0.1, beta2: 0.3}],
    ['no memory', {beta1: 0, beta2: 0}],
  ])('follows the paper for twenty steps with %s', (_, changes) => {
    const settings = {...SETTINGS, ...changes}
    let state: State = {
      m: new Float64Array(11),
      v: new Float64Array(11),
      values: Float64Array.from(normal('values', 11)),
    }
    for (let step = 1; step <= 20; step++) {
      state = paperStep(state, normal(`gradient ${step}`, 11), {...settings, step})
    }
    expect(faultsOf(run(20, 11, settings), {...state}, roundings(20))).toEqual({})
  })

  test('decays weights apart from the gradient', () => {
    const values = Float32Array.of(1, -2, 0)
    adamwStep(values, new Float32Array(3), zeros(3), {...SETTINGS, learningRate: 0.5, step: 1, weightDecay: 0.5})
    expect([...values]).toEqual([0.75, -1.5, 0])
  })

  test('moves each value by the learning rate at first, whatever the size of its gradient', () => {
    const values = new Float32Array(3)
    adamwStep(values, Float32Array.of(1e-3, -5, 1e4), zeros(3), {...SETTINGS, step: 1, weightDecay: 0})
    expect(faultsOf({values}, {values: [-0.01, 0.01, -0.01]}, {absolute: 0, relative: 2e-5})).toEqual({})
  })

  test('scales the gradient before it enters the moments', () => {
    const scaled = zeros(2)
    adamwStep(new Float32Array(2), Float32Array.of(4, -8), scaled, {...SETTINGS, gradientScale: 0.5, step: 1})
    const plain = zeros(2)
    adamwStep(new Float32Array(2), Float32Array.of(2, -4), plain, {...SETTINGS, step: 1})
    expect(bitFaultsOf({...scaled}, {...plain})).toEqual({})
  })

  test('does not hide a NaN in a gradient, and keeps it to that value', () => {
    const values = Float32Array.of(1, 2, 3)
    const moments = zeros(3)
    adamwStep(values, Float32Array.of(0, Number.NaN, 0), moments, {...SETTINGS, step: 1})
    for (const array of [values, moments.m, moments.v]) {
      expect([...array].map(Number.isNaN)).toEqual([false, true, false])
    }
  })

  test('gives the same bytes again', () => {
    expect(bitFaultsOf(run(20, 129, SETTINGS), run(20, 129, SETTINGS))).toEqual({})
  })
})

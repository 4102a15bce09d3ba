import {afterEach, beforeEach, expect, jest, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'
import {type FirstValues, ParameterArena, setValues} from '../../src/ops/adamw/parameter-arena.js'
import {createOptimizer} from '../../src/train/create-optimizer.js'
import {DeviceOptimizer} from '../../src/train/device-optimizer.js'
import {HostAdamW} from '../../src/train/host-optimizer.js'
import {type Optimizer, type OptimizerSettings} from '../../src/train/optimizer.js'
import {useBackend} from '../support/device.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {sizeOf} from '../support/values.js'

const SETTINGS: OptimizerSettings = {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0.01}
const STEPS = 4
const RATE = 0.01

/** More tensors than one dispatch takes, of sizes that leave gaps in the arena. */
const SHAPES = Array.from({length: 15}, (_, index) => [[3, 4], [5], [64, 2], [1, 1], [7, 33]][index % 5])

const names = SHAPES.map((_, index) => `adapters.0.${index}`)

const OWN = new Map(names.slice(4, 9).map((name, index) => [name, {learningRate: 2 ** -index, weightDecay: index}]))

function numbers(use: string, index: number): Float32Array {
  const random = new RandomStream(1, use, String(index))
  return Float32Array.from({length: sizeOf(SHAPES[index])}, () => random.normal())
}

const firstValues = (): FirstValues[] => SHAPES.map((shape, index) => ({shape, values: numbers('values', index)}))

const named = (variables: readonly tf.Variable[]): Map<string, tf.Variable> =>
  new Map(variables.map((variable, index) => [names[index], variable]))

/** Gradients of one micro-batch. One tensor never gets any, another only in the first. */
function gradientsOf(step: number, micro: number): Map<string, tf.Tensor> {
  const entries = SHAPES.flatMap((shape, index): [string, tf.Tensor][] => {
    if (index === 3 || (index === 6 && micro > 0)) return []
    return [[names[index], tf.tensor(numbers(`gradient ${step} ${micro}`, index), shape)]]
  })
  return new Map(entries)
}

async function runSteps(optimizer: Optimizer, steps: number): Promise<number[]> {
  const norms: number[] = []
  for (let step = 0; step < steps; step++) {
    for (const micro of [0, 1]) {
      const gradients = gradientsOf(step, micro)
      await optimizer.accumulate(gradients, 0.5)
      tf.dispose([...gradients.values()])
    }
    norms.push(await optimizer.step(RATE))
  }
  return norms
}

async function valuesOf(variables: readonly tf.Variable[]): Promise<number[]> {
  const values: number[] = []
  for (const variable of variables) values.push(...(await variable.data<'float32'>()))
  return values
}

/** What the optimizer on the host makes of the same. */
async function expectedOf(settings: OptimizerSettings): Promise<{norms: number[]; values: number[]}> {
  await useBackend('wasm')
  const arena = ParameterArena.create(firstValues())
  const norms = await runSteps(new HostAdamW(named(arena.variables), settings), STEPS)
  const values = await valuesOf(arena.variables)
  arena.dispose()
  return {norms, values}
}

const furthest = (actual: readonly number[], expected: readonly number[]): number =>
  actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index])), 0)

describeGpu('the optimizer on the GPU', () => {
  let before: {numBytes: number; numTensors: number; live: number}
  let arena: ParameterArena
  let optimizer: Optimizer

  const held = async (): Promise<typeof before> => {
    const {live} = (await useGpu()).gpuMemory()
    const {numBytes, numTensors} = tf.memory()
    return {live, numBytes, numTensors}
  }

  beforeEach(async () => {
    before = await held()
    arena = ParameterArena.create(firstValues())
    optimizer = createOptimizer({variables: named(arena.variables)}, SETTINGS)
  })

  afterEach(async () => {
    await useGpu()
    optimizer.dispose()
    arena.dispose()
    expect(await held()).toEqual(before)
  })

  test.each<[string, Partial<OptimizerSettings>]>([
    ['with clipping', {}],
    ['without clipping', {clipNorm: null}],
    ['with a limit that is not reached', {clipNorm: 1e4}],
    ['with rates of single tensors', {rates: OWN, weightDecay: 0.1}],
  ])('%s does what the optimizer on the host does', async (_, parts) => {
    const settings = {...SETTINGS, ...parts}
    const expected = await expectedOf(settings)
    await useGpu()
    optimizer.dispose()
    optimizer = new DeviceOptimizer(named(arena.variables), settings)
    const norms = await runSteps(optimizer, STEPS)
    const values = await valuesOf(arena.variables)
    // Some roundings of values of up to 4 in each step, and of steps of up to a few learning rates.
    expect(furthest(values, expected.values)).toBeLessThan(12 * STEPS * 2 ** -24 * 5)
    expect(Math.max(...norms.map((norm, step) => Math.abs(norm / expected.norms[step] - 1)))).toBeLessThan(2 ** -20)
  })

  test('makes a step as if one with a gradient that is not finite had never been asked for', async () => {
    await runSteps(optimizer, 1)
    const bad = tf.tensor(numbers('bad', 0).fill(Number.NaN, 2, 3), SHAPES[0])
    await optimizer.accumulate(new Map([[names[0], bad]]), 1)
    bad.dispose()
    const values = await valuesOf(arena.variables)
    expect(await optimizer.step(RATE)).toBeNaN()
    expect(await valuesOf(arena.variables)).toEqual(values)
    await runSteps(optimizer, 2)
    const after = await valuesOf(arena.variables)
    optimizer.dispose()
    for (const [index, {values: first}] of firstValues().entries()) setValues(arena.variables[index], first)
    optimizer = new DeviceOptimizer(named(arena.variables), SETTINGS)
    await runSteps(optimizer, 1)
    await runSteps(optimizer, 2)
    expect(await valuesOf(arena.variables)).toEqual(after)
  })

  test('reads a norm and no more', async () => {
    const read = jest.spyOn(await useGpu(), 'read')
    await runSteps(optimizer, 2)
    expect(read).toHaveBeenCalledTimes(2)
    read.mockRestore()
  })

  test('gives the norm of what was accumulated of each tensor, and the step that follows is the same', async () => {
    const gradients = gradientsOf(1, 1)
    const expected = await Promise.all(
      names.map(async (name) => {
        const values = (await gradients.get(name)?.data<'float32'>()) ?? new Float32Array()
        return Math.sqrt(values.reduce((sum, value) => sum + (value / 2) ** 2, 0))
      }),
    )
    await optimizer.accumulate(gradients, 0.5)
    tf.dispose([...gradients.values()])
    const [norms, whole] = await Promise.all([optimizer.gradientNorms(), optimizer.step(RATE)])
    expect([...norms.keys()]).toEqual(names)
    for (const [index, norm] of [...norms.values()].entries()) {
      expect(Math.abs(norm - expected[index])).toBeLessThanOrEqual(2 ** -20 * expected[index])
    }
    expect(Math.abs(Math.hypot(...norms.values()) / whole - 1)).toBeLessThan(2 ** -20)
  })

  test('changes nothing but what it trains', async () => {
    const gradient = tf.ones(SHAPES[1])
    await optimizer.accumulate(new Map([[names[1], gradient]]), 1)
    gradient.dispose()
    const start = firstValues()
    await optimizer.step(RATE)
    for (const [index, variable] of arena.variables.entries()) {
      const values = await variable.data<'float32'>()
      const decayed = start[index].values.map((value) => value * (1 - RATE * SETTINGS.weightDecay))
      const isMoved = values.some((value, i) => Math.abs(value - decayed[i]) > 0.5 * RATE)
      expect([index, isMoved]).toEqual([index, index === 1])
    }
  })

  test('refuses a variable that something else was assigned to', async () => {
    const [variable] = arena.variables
    const other = tf.ones(variable.shape)
    variable.assign(other)
    other.dispose()
    await expect(optimizer.step(RATE)).rejects.toThrow('is not in the arena')
  })

  test('trains nothing where there is nothing to train', async () => {
    const none = new DeviceOptimizer(new Map(), SETTINGS)
    none.accumulate(new Map(), 1)
    expect(await none.step(RATE)).toBe(0)
    none.dispose()
  })
})

describeGpu('trained tensors', () => {
  test.each(['wasm', 'gpu'] as const)('on %s hold their values, and take others', async (name) => {
    if (name === 'gpu') await useGpu()
    else await useBackend(name)
    const before = tf.memory()
    const arena = ParameterArena.create(firstValues())
    expect(await valuesOf(arena.variables)).toEqual(firstValues().flatMap(({values}) => [...values]))
    const [first, second] = arena.variables
    setValues(first, numbers('other', 0))
    expect([...(await first.data())]).toEqual([...numbers('other', 0)])
    expect([...(await second.data())]).toEqual([...firstValues()[1].values])
    expect(() => setValues(first, new Float32Array(1))).toThrow('1 values for 12')
    const sum = tf.tidy(() => tf.sum(tf.mul(first, first))) // what a variable is for
    expect((await sum.data())[0]).toBeCloseTo(
      numbers('other', 0).reduce((total, value) => total + value * value, 0),
      4,
    )
    sum.dispose()
    arena.dispose()
    expect(tf.memory()).toEqual(before)
  })
})

import {afterEach, expect, jest, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {Recording} from '../../src/backend/gpu/recording.js'
import {type Batch, collate} from '../../src/data/batches.js'
import {RandomStream} from '../../src/data/random.js'
import {decode} from '../../src/model/decoding.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {lossAndGradients, type Trainee} from '../../src/train/batch-loss.js'
import {createOptimizer} from '../../src/train/create-optimizer.js'
import {openGolden, randomise} from '../support/golden-model.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {lora, STATE} from '../support/random-adapter.js'

const TARGETS = ['*_proj']
const STEPS = 7
const OPTIMIZER = {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0.01}

/** Batches of one shape with other ids, labels and numbers of labels each. */
function batchOf(step: number, vocabulary: number): Batch {
  const random = new RandomStream(3, 'batch', step)
  const rows = [17, 23].map((length) => {
    const ids = Int32Array.from({length}, () => Math.floor(random.uniform() * vocabulary))
    return {ids, labels: ids.map((id, place) => (place > length - 5 - step ? id : -100)), where: 'test'}
  })
  return collate(rows)
}

interface Run {
  readonly losses: number[]
  readonly norms: number[]
  readonly values: number[][]
}

async function trained(checked: boolean, options: {dropout?: number; recompute?: boolean} = {}): Promise<Run> {
  await useGpu({checked})
  const {model} = await openGolden('mamba1')
  const adapters = AdapterSet.create([lora({dropout: options.dropout ?? 0, targets: TARGETS}), STATE], model.config, 1)
  randomise(adapters)
  const optimizer = createOptimizer(adapters, OPTIMIZER)
  const run: Run = {losses: [], norms: [], values: []}
  try {
    for (let step = 0; step < STEPS; step++) {
      const {loss, norm} = await trainStep({adapters, model}, step, optimizer, options.recompute ?? false)
      run.losses.push(loss)
      run.norms.push(norm)
    }
    for (const {values} of (await adapters.values()).values()) run.values.push([...values])
    return run
  } finally {
    optimizer.dispose()
    adapters.dispose()
    model.weights.dispose()
  }
}

async function trainStep(
  trainee: Trainee,
  step: number,
  optimizer: ReturnType<typeof createOptimizer>,
  recompute: boolean,
): Promise<{loss: number; norm: number}> {
  const batch = batchOf(step, trainee.model.config.vocabulary)
  const dropout = new RandomStream(5, 'dropout', step)
  const {dispose, gradients, loss} = lossAndGradients(trainee, batch, {dropout, recompute})
  await optimizer.accumulate(gradients, 1 / batch.supervisedTokens)
  const results = Promise.all([loss.data<'float32'>(), optimizer.step(0.01)])
  dispose()
  const [[sum], norm] = await results
  return {loss: sum, norm}
}

async function decoded(checked: boolean, count: number): Promise<number[]> {
  await useGpu({checked})
  const {model} = await openGolden('mamba1')
  const adapters = AdapterSet.create([lora({targets: TARGETS}), STATE], model.config, 1)
  randomise(adapters)
  const settings = {eosId: null, maxNewTokens: count, temperature: 1, topK: 1000, topP: 1}
  const tokens: number[] = []
  try {
    const sites = adapters.sites(model.weights)
    for await (const token of decode(model, sites, [1, 2, 3], settings, new RandomStream(1, 'test'))) tokens.push(token)
    return tokens
  } finally {
    adapters.dispose()
    model.weights.dispose()
  }
}

describeGpu('work that is repeated', () => {
  const repeat = jest.spyOn(Recording.prototype, 'repeat')

  afterEach(() => {
    expect(tf.memory().numTensors).toBe(0)
    repeat.mockClear()
  })

  test.each([false, true])('training steps are the same to the last bit, recomputed layers: %s', async (recompute) => {
    const computed = await trained(true, {recompute})
    expect(repeat).not.toHaveBeenCalled()
    const repeated = await trained(false, {recompute})
    expect(repeat.mock.calls.length).toBeGreaterThanOrEqual(STEPS - 4)
    expect(repeated).toEqual(computed)
    expect(new Set(repeated.losses).size).toBe(STEPS)
  })

  test('a step with dropout is computed each time, because its masks come from the host', async () => {
    const computed = await trained(true, {dropout: 0.3})
    expect(await trained(false, {dropout: 0.3})).toEqual(computed)
    expect(repeat).not.toHaveBeenCalled()
  })

  test('tokens are the same', async () => {
    const computed = await decoded(true, 24)
    const repeated = await decoded(false, 24)
    expect(repeat.mock.calls.length).toBeGreaterThan(8)
    expect(repeated).toEqual(computed)
  })
})

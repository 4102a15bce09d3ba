/**
 * tiny-mamba on a GPU whose bindings are smaller than its embedding, in_proj and out_proj: everything is as where they
 * are whole, to what sums in another order differ by.
 */
import {afterEach, expect, jest, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {Recording} from '../../src/backend/gpu/recording.js'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {type Batch, collate} from '../../src/data/batches.js'
import {RandomStream} from '../../src/data/random.js'
import {decode} from '../../src/model/decoding.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {createOptimizer} from '../../src/train/create-optimizer.js'
import {estimateMemory} from '../../src/train/memory-estimate.js'
import {F32, type Tolerance} from '../support/close.js'
import {faultsOf} from '../support/compare.js'
import {logitsInOnePass, randomise} from '../support/golden-model.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {expectNoLeak} from '../support/leak.js'
import {configIn, lora} from '../support/random-adapter.js'

const MODEL = 'models/tiny-mamba'
const LIMIT = {bindingBytes: 256 * 1024}
const ADAPTERS = [lora({rank: 2, targets: ['*_proj']})]
const STEPS = 4
const OPTIMIZER = {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0.01}

/** f16 keeps eleven bits, and what is stored so is rounded once more on the way to each layer. */
const TOLERANCES: Readonly<Record<'f16' | 'f32', Tolerance>> = {f16: {absolute: 2e-2, relative: 0}, f32: F32}

function batchOf(step: number, vocabulary: number): Batch {
  const random = new RandomStream(3, 'batch', step)
  const rows = [6, 8].map((length) => {
    const ids = Int32Array.from({length}, () => Math.floor(random.uniform() * vocabulary))
    return {ids, labels: ids.map((id, place) => (place > 2 ? id : -100)), where: 'test'}
  })
  return collate(rows)
}

type Results = Record<string, ArrayLike<number>>

/** Gradients of the first step by name, then losses and norms of all. */
async function trained(model: LanguageModel, adapters: AdapterSet): Promise<Results> {
  const optimizer = createOptimizer(adapters, OPTIMIZER)
  const results: Results = {}
  const losses: number[] = []
  for (let step = 0; step < STEPS; step++) {
    const batch = batchOf(step, model.config.vocabulary)
    const {dispose, gradients, loss} = lossAndGradients({adapters, model}, batch)
    if (step === 0) for (const [name, gradient] of gradients) results[`gradient ${name}`] = await gradient.data()
    await optimizer.accumulate(gradients, 1 / batch.supervisedTokens)
    const [[sum], norm] = await Promise.all([loss.data<'float32'>(), optimizer.step(0.01)])
    dispose()
    losses.push(sum / batch.supervisedTokens, norm)
  }
  optimizer.dispose()
  return {...results, losses}
}

async function everything(precision: 'f16' | 'f32', limited: boolean): Promise<{results: Results; tokens: number[]}> {
  const backend = await useGpu({checked: false, facts: limited ? LIMIT : {}, precision})
  return expectNoLeak(async () => {
    const model = await loadModel(await openModelDirectory(MODEL))
    expect(backend.windowsOf(model.weights.get('backbone.embeddings.weight')) !== null).toBe(limited)
    const adapters = AdapterSet.create(ADAPTERS, model.config, 1)
    randomise(adapters, 1, 0.02)
    try {
      const sites = adapters.sites(model.weights)
      const logits = await logitsInOnePass(model, sites, Int32Array.of(5, 900, 2047, 17, 0, 3))
      const tokens: number[] = []
      const greedy = {eosId: null, maxNewTokens: 5, temperature: 0, topK: 0, topP: 1}
      for await (const token of decode(model, sites, [5, 900, 2047], greedy, new RandomStream(1, 'test'))) {
        tokens.push(token)
      }
      return {results: {logits, ...(await trained(model, adapters))}, tokens}
    } finally {
      adapters.dispose()
      model.weights.dispose()
    }
  })
}

describeGpu('a model whose matrices are larger than a binding', () => {
  const repeat = jest.spyOn(Recording.prototype, 'repeat')
  afterEach(() => expect(tf.memory().numTensors).toBe(0))

  test.each(['f32', 'f16'] as const)('computes the same in %s', async (precision) => {
    const whole = await everything(precision, false)
    repeat.mockClear()
    const limited = await everything(precision, true)
    expect(repeat.mock.calls.length).toBeGreaterThanOrEqual(1)
    expect(faultsOf(limited.results, whole.results, TOLERANCES[precision])).toEqual({})
    if (precision === 'f32') expect(limited.tokens).toEqual(whole.tokens)
  })

  test('is planned: its weights take the same memory', async () => {
    const {facts} = await useGpu({facts: LIMIT})
    const config = await configIn(MODEL)
    const shape = {adapters: ADAPTERS, checkpointing: 'none', config, device: 'gpu', length: 8, rows: 2} as const
    const limited = await estimateMemory({...shape, facts, precision: 'f16'})
    const whole = await estimateMemory({...shape, precision: 'f16'})
    expect(Math.abs(limited.weights / whole.weights - 1)).toBeLessThan(0.02)
  })
})

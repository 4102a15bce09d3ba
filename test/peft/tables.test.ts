/**
 * LoRA on embedding and head in training. A fresh adapter has B = 0, so the gradient of B is s G Aᵀ with G the gradient of
 * the whole table, which transformers computed for the golden models; in a tied model G is that of both uses.
 */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {RandomStream} from '../../src/data/random.js'
import {RecipeError} from '../../src/errors.js'
import {baseSites} from '../../src/model/sites.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type LoraSettings} from '../../src/peft/lora-settings.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {createOptimizer} from '../../src/train/create-optimizer.js'
import {difference} from '../support/close.js'
import {bitFaultsOf} from '../support/compare.js'
import {useBackend} from '../support/every-backend.js'
import {type GoldenModel, logitsInOnePass, logitsInPieces, openGolden, randomise} from '../support/golden-model.js'
import {gradientsOf, valuesOf} from '../support/gradients.js'
import {lora} from '../support/random-adapter.js'

const CASES = [
  ['mamba1', 'embeddings', 'backbone.embeddings.weight'],
  ['mamba1-untied-bias', 'embeddings', 'backbone.embeddings.weight'],
  ['mamba1-untied-bias', 'lm_head', 'lm_head.weight'],
  ['mamba2-limit', 'lm_head', 'lm_head.weight'],
] as const

describe.each(CASES)('on %s, lora on %s', (name, target, table) => {
  const settings: LoraSettings = lora({targets: [target]})
  let golden: GoldenModel
  let ids: Int32Array

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden(name)
    ids = golden.examples[0].ids
  })

  afterAll(() => {
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('trains r (V + d) numbers, is neutral at the start, and its gradient is that of the whole table', async () => {
    const {examples, model, reference} = golden
    const {hidden: d, vocabulary: v} = model.config
    const adapters = AdapterSet.create([settings], model.config, 1)
    expect(adapters.size).toBe(3 * (v + d))
    const sites = adapters.sites(model.weights)
    const bare = await logitsInOnePass(model, baseSites(model.weights), ids)
    expect(bitFaultsOf({logits: await logitsInOnePass(model, sites, ids)}, {logits: bare})).toEqual({})

    const batch = collate(examples)
    const {gradients} = await gradientsOf({adapters, model}, batch)
    const down = (await valuesOf(adapters))[`adapters.0.${target}.lora_A`] // (r, d)
    const whole = reference.floats(`grad.${table}`) // (V, d), of the mean loss
    const expected = Float32Array.from({length: v * 3}, (_, at) => {
      const [row, k] = [Math.trunc(at / 3), at % 3]
      let sum = 0
      for (let i = 0; i < d; i++) sum += whole[row * d + i] * down[k * d + i]
      return 2 * batch.supervisedTokens * sum // s = 6 / 3
    })
    expect(difference(gradients[`adapters.0.${target}.lora_B`], expected)).toBeNull()
    expect(gradients[`adapters.0.${target}.lora_A`].every((value) => value === 0)).toBe(true)
    adapters.dispose()
  })

  test('learns the batch that it is given, and decodes as it reads', async () => {
    const {examples, model} = golden
    const adapters = AdapterSet.create([settings], model.config, 1)
    randomise(adapters)
    const before = tf.memory().numTensors
    const batch = collate(examples)
    const optimizer = createOptimizer(adapters, {
      beta1: 0.9,
      beta2: 0.999,
      clipNorm: 1,
      epsilon: 1e-8,
      weightDecay: 0,
    })
    const losses: number[] = []
    for (let step = 0; step < 4; step++) {
      const {dispose, gradients, loss} = lossAndGradients({adapters, model}, batch)
      losses.push((await loss.data())[0])
      await optimizer.accumulate(gradients, 1 / batch.supervisedTokens)
      dispose()
      await optimizer.step(1e-2)
    }
    optimizer.dispose()
    expect(losses.slice(1).every((loss, index) => loss < losses[index])).toBe(true)
    expect(tf.memory().numTensors).toBe(before)
    const sites = adapters.sites(model.weights)
    const single = [...ids].map(() => 1)
    const decoded = await logitsInPieces(model, sites, ids, single)
    expect(difference(decoded, await logitsInOnePass(model, sites, ids))).toBeNull()
    adapters.dispose()
  })
})

test('dropout drops inputs of the head while training, and is refused where there are none to drop', async () => {
  await useBackend('wasm')
  const {examples, model} = await openGolden('mamba1-untied-bias')
  const adapters = AdapterSet.create([lora({dropout: 0.5, targets: ['lm_head']})], model.config, 1)
  randomise(adapters)
  const lossWith = async (dropout: RandomStream | null): Promise<number> => {
    const {dispose, loss} = lossAndGradients({adapters, model}, collate(examples), {dropout})
    const [value] = await loss.data()
    dispose()
    return value
  }
  const plain = await lossWith(null)
  expect(await lossWith(null)).toBe(plain)
  expect(await lossWith(new RandomStream(1, 'dropout'))).not.toBe(plain)
  const dead = [lora({dropout: 0.5, targets: ['embeddings']})]
  expect(() => AdapterSet.create(dead, model.config, 1)).toThrow(RecipeError)
  adapters.dispose()
  model.weights.dispose()
})

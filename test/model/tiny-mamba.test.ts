import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {RandomStream} from '../../src/data/random.js'
import {decode} from '../../src/model/decoding.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {baseSites} from '../../src/model/sites.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {evaluate} from '../../src/train/evaluate.js'
import {allOf} from '../support/all-of.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath, readReference, type Reference} from '../support/golden.js'
import {logitsInOnePass} from '../support/golden-model.js'

/** The rows and positions whose logits the reference keeps. */
const ROWS = 2
const POSITIONS = 96

describe.each(['tiny-mamba', 'tiny-mamba2'])('the shipped %s equals transformers', (name) => {
  let model: LanguageModel
  let reference: Reference
  let rows: Int32Array[]

  beforeAll(async () => {
    await useBackend('wasm')
    model = await loadModel(await openModelDirectory(`models/${name}`))
    reference = await readReference(goldenPath(`${name}-reference.safetensors`))
    const [count, length] = reference.shape('input_ids')
    const ids = reference.ints('input_ids')
    rows = Array.from({length: count}, (_, row) => ids.slice(row * length, (row + 1) * length))
  })

  afterAll(() => {
    model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('in its mean loss over 16 × 256 tokens', async () => {
    const examples = rows.map((ids, row) => ({ids, labels: ids, where: `row:${row}`}))
    const bare = AdapterSet.create([], model.config, 0)
    const {loss, supervised_tokens: supervised} = await evaluate({adapters: bare, model}, examples, {batchSize: 8})
    expect(supervised).toBe(16 * 255)
    expect(difference([loss], reference.floats('loss'))).toBeNull()
  })

  test('in its logits', async () => {
    const sites = baseSites(model.weights)
    const logits = await Promise.all(
      rows.slice(0, ROWS).map((ids) => logitsInOnePass(model, sites, ids.slice(0, POSITIONS))),
    )
    const all = logits.flatMap((row) => [...row])
    expect(difference(all, reference.floats('logits'))).toBeNull()
  })

  test('in the greedy continuation of a prompt, token by token', async () => {
    const prompt = [...reference.ints('prompt')]
    const greedy = {eosId: 0, maxNewTokens: 48, temperature: 0, topK: null, topP: 1}
    const made = await allOf(decode(model, baseSites(model.weights), prompt, greedy, new RandomStream(0)))
    expect([...prompt, ...made]).toEqual([...reference.ints('greedy')])
  })
})

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {RecipeError} from '../../src/errors.js'
import {baseSites} from '../../src/model/sites.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {attachModel} from '../../src/peft/attached-model.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {difference} from '../support/close.js'
import {faultsOf} from '../support/compare.js'
import {useBackend} from '../support/every-backend.js'
import {goldenPath} from '../support/golden.js'
import {BACKENDS_WITH_MODELS, type GoldenModel, logitsInOnePass, openGolden} from '../support/golden-model.js'
import {gradientsOf} from '../support/gradients.js'
import {configIn, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'
import {partial} from './parameter-rows.js'

const cases = BACKENDS_WITH_MODELS.filter(([backend]) => backend !== 'cpu')

describe.each(cases)('on %s, %s with every tensor trained', (backend, name) => {
  let golden: GoldenModel
  let adapters: AdapterSet

  beforeAll(async () => {
    await useBackend(backend)
    golden = await openGolden(name)
    adapters = AdapterSet.create([partial('*')], golden.model.config, 1)
  })

  afterAll(() => {
    adapters.dispose()
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('has as many numbers as the model, and its logits', async () => {
    const {examples, model} = golden
    expect(adapters.size).toBe(model.weights.size)
    const [{ids}] = examples
    const bare = await logitsInOnePass(model, baseSites(model.weights), ids)
    expect(difference(await logitsInOnePass(model, adapters.sites(model.weights), ids), bare)).toBeNull()
  })

  test('has the gradient of transformers for every parameter of the model', async () => {
    const {examples, model, reference} = golden
    const batch = collate(examples)
    const {gradients} = await gradientsOf({adapters, model}, batch)
    const found = Object.entries(gradients).map(([tensor, gradient]): [string, Float32Array] => {
      const parameter = tensor.replace(/^adapters\.0\./, '').replace(/\.delta$/, '')
      const full = parameter.startsWith('lm_head') ? parameter : `backbone.${parameter}`
      return [`grad.${full}`, gradient.map((value) => value / batch.supervisedTokens)]
    })
    const names = reference.names.filter((tensor) => tensor.startsWith('grad.'))
    const expected = Object.fromEntries(names.map((tensor) => [tensor, reference.floats(tensor)]))
    expect(faultsOf(Object.fromEntries(found), expected)).toEqual({})
  })
})

describe('the embedding', () => {
  const inWork = workDirectory()

  beforeAll(() => useBackend('wasm'))
  afterAll(() => expect(tf.memory().numTensors).toBe(0))

  test.each([
    ['tied to the head, is trained and merged in both uses', 'mamba1', ['embeddings']],
    ['is apart from the head where they are not tied', 'mamba1-untied-bias', ['embeddings', 'lm_head']],
  ])('%s', async (_what, name, targets) => {
    const model = goldenPath(name)
    const adapter = await writeRandomAdapter(inWork(name), {model, settings: [partial(...targets)]})
    const out = inWork(`${name}-merged`)
    const {adapter_effect: effect, passed} = await mergeAdapter({
      adapter,
      anyBase: false,
      base: model,
      batches: probeBatches,
      dtype: 'f32',
      out,
      partial: false,
    })
    expect(passed).toBe(true)
    expect(effect).toBeGreaterThan(0.01)
    const ids = Int32Array.of(3, 1, 4, 1, 5)
    const [attached, merged] = [await attachModel({adapter, model}), await attachModel({model: out})]
    const expected = await logitsInOnePass(attached.model, attached.sites, ids)
    expect(difference(await logitsInOnePass(merged.model, merged.sites, ids), expected)).toBeNull()
    attached.dispose()
    merged.dispose()
  })
})

describe('targets', () => {
  const tensorsOf = async (model: string, ...targets: string[]): Promise<string[]> => {
    const set = AdapterSet.create([partial(...targets)], await configIn(goldenPath(model)), 1)
    const names = [...set.variables.keys()].map((name) => name.replace(/^adapters\.0\.|\.delta$/g, ''))
    set.dispose()
    return names
  }

  beforeAll(() => useBackend('wasm'))

  test('name tensors, modules with all of their tensors, or globs', async () => {
    const first = (names: readonly string[]): string[] => names.filter((name) => !name.startsWith('layers.1.'))
    expect(first(await tensorsOf('mamba1', 'conv1d.bias', 'dt_proj.bias'))).toEqual([
      'layers.0.mixer.conv1d.bias',
      'layers.0.mixer.dt_proj.bias',
    ])
    expect(first(await tensorsOf('mamba1', 'conv1d'))).toEqual([
      'layers.0.mixer.conv1d.weight',
      'layers.0.mixer.conv1d.bias',
    ])
    expect(first(await tensorsOf('mamba2', 'norm', 'norm_f'))).toEqual([
      'layers.0.norm.weight',
      'layers.0.mixer.norm.weight',
      'norm_f.weight',
    ])
    expect(await tensorsOf('mamba1', 'layers.0.mixer.{A_log,D}')).toEqual(['layers.0.mixer.A_log', 'layers.0.mixer.D'])
    expect(await tensorsOf('mamba2', '*_bias')).toEqual(['layers.0.mixer.dt_bias', 'layers.1.mixer.dt_bias'])
  })

  test.each([
    ['mamba1', 'A_lgo', 'Did you mean A_log?'],
    ['mamba1', 'lm_head', 'The head of this model is its embedding: write embeddings.'],
    ['mamba2', 'dt_proj.bias', 'conv1d.weight, conv1d.bias, dt_bias, A_log, D'],
    ['mamba1', 'attention', 'Tensors of this model: embeddings.weight, norm.weight, in_proj.weight,'],
  ])('that match nothing in %s are refused: %s', async (model, target, message) => {
    const refused = tensorsOf(model, 'D', target)
    await expect(refused).rejects.toThrow(RecipeError)
    await expect(refused).rejects.toMatchObject({
      faults: [{message: expect.stringContaining(message), where: `adapters.0.targets.1 '${target}'`}],
    })
  })
})

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/every-backend.js'
import {goldenPath, readReference, type Reference} from '../support/golden.js'
import {BACKENDS_WITH_MODELS, type GoldenModel, logitsInOnePass, openGolden} from '../support/golden-model.js'
import {gradientsOf} from '../support/gradients.js'

const KINDS = ['lora', 'rslora', 'dora'] as const
const cases = BACKENDS_WITH_MODELS.filter(([, name]) => name !== 'falcon-mamba').flatMap(([backend, name]) =>
  KINDS.map((kind) => [backend, name, kind] as const),
)

describe.each(cases)('on %s, %s with the %s adapter that PEFT saved equals PEFT', (backend, name, kind) => {
  let golden: GoldenModel
  let adapters: AdapterSet
  let expected: Reference

  beforeAll(async () => {
    await useBackend(backend)
    golden = await openGolden(name)
    const {settings, values} = await readAdapter(goldenPath(name, kind))
    adapters = AdapterSet.restore(settings, golden.model.config, values)
    expected = await readReference(goldenPath(name, kind, 'reference.safetensors'))
  })

  afterAll(() => {
    adapters.dispose()
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('in its logits', async () => {
    const {examples, model} = golden
    const sites = adapters.sites(model.weights)
    const logits = await Promise.all(examples.map(({ids}) => logitsInOnePass(model, sites, ids)))
    const all = logits.flatMap((row) => [...row])
    expect(difference(all, expected.floats('logits'))).toBeNull()
  })

  test('in its loss and in the gradient of every adapter tensor', async () => {
    const batch = collate(golden.examples)
    const {gradients, loss} = await gradientsOf({adapters, model: golden.model}, batch)
    expect(difference([loss / batch.supervisedTokens], expected.floats('loss'))).toBeNull()
    const found = Object.entries(gradients).map(([tensor, gradient]): [string, string | null] => {
      const peft = `grad.base_model.model.backbone.${tensor.replace('adapters.0.', '')}.default.weight`
      const ofMean = gradient.map((value) => value / batch.supervisedTokens)
      return [peft, difference(ofMean, expected.floats(peft))]
    })
    const names = expected.names.filter((tensor) => tensor.startsWith('grad.')).sort()
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(names.map((tensor) => [tensor, null])))
  })
})

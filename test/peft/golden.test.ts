import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {difference} from '../support/close.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {goldenPath, readReference, type Reference} from '../support/golden.js'
import {type GoldenModel, logitsInOnePass, MODELS, openGolden} from '../support/golden-model.js'

const KINDS = ['lora', 'rslora'] as const
const cases = BACKENDS.flatMap((backend) =>
  MODELS.flatMap((name) => KINDS.map((kind) => [backend, name, kind] as const)),
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

  test('in its logits', () => {
    const {examples, model} = golden
    const sites = adapters.sites(model.weights)
    const logits = examples.flatMap(({ids}) => [...logitsInOnePass(model, sites, ids)])
    expect(difference(logits, expected.floats('logits'))).toBeNull()
  })

  test('in its loss and in the gradient of every adapter tensor', () => {
    const batch = collate(golden.examples)
    const {gradients, loss} = lossAndGradients({adapters, model: golden.model}, batch, batch.supervisedTokens, null)
    expect(difference([loss / batch.supervisedTokens], expected.floats('loss'))).toBeNull()
    const found = [...gradients].map(([tensor, gradient]): [string, string | null] => {
      const peft = `grad.base_model.model.backbone.${tensor.replace('adapters.0.', '')}.default.weight`
      return [peft, difference(gradient, expected.floats(peft))]
    })
    const names = expected.names.filter((tensor) => tensor.startsWith('grad.')).sort()
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(names.map((tensor) => [tensor, null])))
  })
})

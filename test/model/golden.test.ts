import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {forward, type LanguageModel, logitsOf, summedLoss} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {parameterShapes} from '../../src/model/parameters.js'
import {baseSites} from '../../src/model/sites.js'
import {Weights} from '../../src/model/weights.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/every-backend.js'
import {goldenPath, readReference, type Reference, shiftLabels} from '../support/golden.js'
import {BACKENDS_WITH_MODELS} from '../support/golden-model.js'

describe.each(BACKENDS_WITH_MODELS)('on %s', (backend, name) => {
  describe(`${name} equals transformers`, () => {
    let model: LanguageModel
    let reference: Reference
    let ids: tf.Tensor2D
    let labels: tf.Tensor2D

    beforeAll(async () => {
      await useBackend(backend)
      model = await loadModel(await openModelDirectory(goldenPath(name)))
      reference = await readReference(goldenPath(name, 'reference.safetensors'))
      const [batch, length] = reference.shape('input_ids')
      ids = tf.tensor2d(reference.ints('input_ids'), [batch, length], 'int32')
      labels = tf.tensor2d(shiftLabels(reference.ints('labels'), length), [batch, length], 'int32')
    })

    afterAll(() => {
      model.weights.dispose()
      tf.dispose([ids, labels])
      expect(tf.memory().numTensors).toBe(0)
    })

    test('in its logits', async () => {
      const sites = baseSites(model.weights)
      const logits = tf.tidy(() => logitsOf(model, sites, forward(model, sites, ids).hidden))
      expect(difference(await logits.data(), reference.floats('logits'))).toBeNull()
      logits.dispose()
    })

    test('in its loss and in the gradient of every parameter', async () => {
      const variables = new Map(
        [...parameterShapes(model.config).keys()].map((key) => [key, tf.variable(model.weights.get(key))]),
      )
      const weights = new Weights(variables)
      const trainable = {...model, weights}
      const supervised = (await labels.data()).filter((label) => label >= 0).length
      const {grads, value} = tf.variableGrads(() => {
        const sites = baseSites(weights)
        return tf.div(summedLoss(trainable, sites, forward(trainable, sites, ids).hidden, labels), supervised)
      }, [...variables.values()])
      expect(difference(await value.data(), reference.floats('loss'))).toBeNull()
      const differences: Record<string, string | null> = {}
      for (const [key, {name: id}] of variables) {
        differences[key] = difference(await grads[id].data(), reference.floats(`grad.${key}`))
      }
      expect(differences).toEqual(Object.fromEntries([...variables.keys()].map((key) => [key, null])))
      tf.dispose([grads, value])
      weights.dispose()
    })
  })
})

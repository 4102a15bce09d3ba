import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type Batch, collate} from '../../src/data/batches.js'
import {type Example} from '../../src/data/rows.js'
import {forward, logitsOf} from '../../src/model/language-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {batchLoss, lossAndGradients, type Trainee} from '../../src/train/batch-loss.js'
import {difference} from '../support/close.js'
import {faultsOf} from '../support/compare.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {logitsInOnePass, MODELS, openGolden, randomise} from '../support/golden-model.js'
import {unevenRows} from '../support/uneven-rows.js'

const ROWS = unevenRows([2, 7, 23, 3, 40])

describe.each(BACKENDS.flatMap((backend) => MODELS.map((name) => [backend, name] as const)))(
  'padding on %s, %s',
  (backend, name) => {
    let trainee: Trainee

    beforeAll(async () => {
      await useBackend(backend)
      const {model} = await openGolden(name)
      const adapters = AdapterSet.create(
        [
          {method: 'lora', targets: ['*_proj', 'conv1d'], rank: 2, alpha: 4, dropout: 0, rslora: false},
          {method: 'initial-state', conv: true, scan: true},
        ],
        model.config,
        1,
      )
      randomise(adapters)
      trainee = {adapters, model}
    })

    afterAll(() => {
      trainee.adapters.dispose()
      trainee.model.weights.dispose()
      expect(tf.memory().numTensors).toBe(0)
    })

    const gradientsOf = (examples: readonly Example[]): Record<string, Float32Array> =>
      Object.fromEntries(lossAndGradients(trainee, collate(examples), 1, null).gradients)

    test('a row has the same loss alone and in any batch', () => {
      const alone = ROWS.map((row) => batchLoss(trainee, collate([row])))
      for (const [index, row] of ROWS.entries()) {
        const others = ROWS.filter((other) => other !== row)
        const unsupervised = others.map((other) => ({...other, labels: other.labels.slice().fill(-100)}))
        expect(difference([batchLoss(trainee, collate([...unsupervised, row]))], [alone[index]])).toBeNull()
      }
    })

    test('a row has the same logits alone and in a batch', () => {
      const {adapters, model} = trainee
      const {ids, length, rows} = collate(ROWS)
      const {vocabulary} = model.config
      const together = tf.tidy(() => {
        const {hidden} = forward(model, adapters.sites(model.weights), tf.tensor2d(ids, [rows, length], 'int32'))
        return logitsOf(model, hidden).dataSync<'float32'>().slice()
      })
      for (const [index, row] of ROWS.entries()) {
        const from = index * length * vocabulary
        const own = together.subarray(from, from + row.ids.length * vocabulary)
        expect(difference(own, logitsInOnePass(model, adapters.sites(model.weights), row.ids))).toBeNull()
      }
    })

    test('the loss of a batch is the sum over its rows', () => {
      const sum = ROWS.reduce((total, row) => total + batchLoss(trainee, collate([row])), 0)
      expect(difference([batchLoss(trainee, collate(ROWS))], [sum])).toBeNull()
    })

    test('the gradients of a batch are the sums over its rows', () => {
      const sums = gradientsOf([ROWS[0]])
      for (const row of ROWS.slice(1)) {
        for (const [tensor, gradient] of Object.entries(gradientsOf([row]))) {
          for (const [i, value] of gradient.entries()) sums[tensor][i] += value
        }
      }
      expect(faultsOf(gradientsOf(ROWS), sums)).toEqual({})
    })

    test('what stands in the padding changes no bit of the loss and no gradient', () => {
      const plain = collate(ROWS)
      const ids = plain.ids.slice()
      for (const [row, example] of ROWS.entries()) {
        ids.fill(50, row * plain.length + example.ids.length, (row + 1) * plain.length)
      }
      const filled: Batch = {...plain, ids}
      expect(batchLoss(trainee, filled)).toBe(batchLoss(trainee, plain))
      const [a, b] = [plain, filled].map((batch) => lossAndGradients(trainee, batch, 1, null).gradients)
      expect(faultsOf(Object.fromEntries(a), Object.fromEntries(b))).toEqual({})
    })

    test('loss with gradients and loss alone are the same, and the divisor divides only the gradients', () => {
      const batch = collate(ROWS)
      const [whole, part] = [1, 7].map((divisor) => lossAndGradients(trainee, batch, divisor, null))
      expect(difference([whole.loss, part.loss], [batchLoss(trainee, batch), batchLoss(trainee, batch)])).toBeNull()
      const sevenfold = [...part.gradients].map(([tensor, gradient]) => [tensor, gradient.map((value) => 7 * value)])
      expect(
        faultsOf(Object.fromEntries(sevenfold) as Record<string, Float32Array>, Object.fromEntries(whole.gradients)),
      ).toEqual({})
    })
  },
)

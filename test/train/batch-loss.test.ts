import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type Batch, collate} from '../../src/data/batches.js'
import {type Example} from '../../src/data/rows.js'
import {forward, logitsOf} from '../../src/model/language-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {batchLoss, type Trainee} from '../../src/train/batch-loss.js'
import {difference} from '../support/close.js'
import {faultsOf} from '../support/compare.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {logitsInOnePass, MODELS, openGolden, randomise} from '../support/golden-model.js'
import {gradientsOf} from '../support/gradients.js'
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

    const lossOf = (examples: readonly Example[]): Promise<number> => batchLoss(trainee, collate(examples))

    test('a row has the same loss alone and in any batch', async () => {
      for (const row of ROWS) {
        const others = ROWS.filter((other) => other !== row)
        const unsupervised = others.map((other) => ({...other, labels: other.labels.slice().fill(-100)}))
        expect(difference([await lossOf([...unsupervised, row])], [await lossOf([row])])).toBeNull()
      }
    })

    test('a row has the same logits alone and in a batch', async () => {
      const {adapters, model} = trainee
      const {ids, length, rows} = collate(ROWS)
      const {vocabulary} = model.config
      const ofBatch = tf.tidy(() => {
        const sites = adapters.sites(model.weights)
        return logitsOf(model, sites, forward(model, sites, tf.tensor2d(ids, [rows, length], 'int32')).hidden)
      })
      const together = await ofBatch.data<'float32'>()
      for (const [index, row] of ROWS.entries()) {
        const from = index * length * vocabulary
        const own = together.subarray(from, from + row.ids.length * vocabulary)
        expect(difference(own, await logitsInOnePass(model, adapters.sites(model.weights), row.ids))).toBeNull()
      }
      ofBatch.dispose()
    })

    test('the loss of a batch is the sum over its rows', async () => {
      const losses = await Promise.all(ROWS.map((row) => lossOf([row])))
      const sum = losses.reduce((total, loss) => total + loss, 0)
      expect(difference([await lossOf(ROWS)], [sum])).toBeNull()
    })

    test('the gradients of a batch are the sums over its rows', async () => {
      const {gradients: sums} = await gradientsOf(trainee, collate([ROWS[0]]))
      for (const row of ROWS.slice(1)) {
        const {gradients} = await gradientsOf(trainee, collate([row]))
        for (const [tensor, gradient] of Object.entries(gradients)) {
          for (const [i, value] of gradient.entries()) sums[tensor][i] += value
        }
      }
      const {gradients: whole} = await gradientsOf(trainee, collate(ROWS))
      expect(faultsOf(whole, sums)).toEqual({})
    })

    test('what stands in the padding changes no bit of the loss and no gradient', async () => {
      const plain = collate(ROWS)
      const ids = plain.ids.slice()
      for (const [row, example] of ROWS.entries()) {
        ids.fill(50, row * plain.length + example.ids.length, (row + 1) * plain.length)
      }
      const filled: Batch = {...plain, ids}
      expect(await batchLoss(trainee, filled)).toBe(await batchLoss(trainee, plain))
      const [a, b] = await Promise.all([plain, filled].map((batch) => gradientsOf(trainee, batch)))
      expect(faultsOf(a.gradients, b.gradients)).toEqual({})
    })

    test('loss with gradients and loss alone are the same, and nothing stays on the device', async () => {
      const {numBytes, numTensors} = tf.memory()
      const {loss} = await gradientsOf(trainee, collate(ROWS))
      expect(difference([loss], [await lossOf(ROWS)])).toBeNull()
      expect(tf.memory()).toMatchObject({numBytes, numTensors})
    })
  },
)

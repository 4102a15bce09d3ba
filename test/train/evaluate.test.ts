import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {InterruptedError, NumericError} from '../../src/errors.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {batchLoss, type Trainee} from '../../src/train/batch-loss.js'
import {evaluate} from '../../src/train/evaluate.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, openGolden, randomise} from '../support/golden-model.js'
import {unevenRows} from '../support/uneven-rows.js'

const ROWS = unevenRows([9, 2, 31, 12, 3, 26, 8], [1, 0, 3, 8, 1, 20, 2])

describe('evaluation', () => {
  let golden: GoldenModel
  let trainee: Trainee

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden('mamba1')
    trainee = {adapters: AdapterSet.create([], golden.model.config, 0), model: golden.model}
  })

  afterAll(() => {
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('gives the loss of transformers on the golden rows', async () => {
    const {loss} = await evaluate(trainee, golden.examples, {batchSize: 1})
    expect(difference([loss], golden.reference.floats('loss'))).toBeNull()
  })

  test('is the mean over all supervised tokens', async () => {
    const {loss, perplexity, supervised_tokens: supervised, tokens} = await evaluate(trainee, ROWS, {batchSize: 3})
    const batches = ROWS.map((row) => collate([row]))
    const count = batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0)
    const losses = await Promise.all(batches.map((batch) => batchLoss(trainee, batch)))
    const sum = losses.reduce((total, batch) => total + batch, 0)
    expect(difference([loss], [sum / count])).toBeNull()
    expect({supervised, tokens}).toEqual({supervised: count, tokens: 9 + 2 + 31 + 12 + 3 + 26 + 8})
    expect(perplexity).toBe(Math.exp(loss))
    const meanOfMeans = losses.reduce((total, batch, index) => total + batch / batches[index].supervisedTokens, 0) / 7
    expect(difference([loss], [meanOfMeans])).not.toBeNull() // or this test could not fail
  })

  test.each([1, 2, 3, 7, 100])('in batches of %d has the same loss', async (batchSize) => {
    const [one, other] = [await evaluate(trainee, ROWS, {batchSize: 1}), await evaluate(trainee, ROWS, {batchSize})]
    expect(difference([other.loss], [one.loss])).toBeNull()
    expect(other.supervised_tokens).toBe(one.supervised_tokens)
  })

  test('does not depend on the order of the rows', async () => {
    const [forth, back] = [ROWS, ROWS.toReversed()].map((rows) => evaluate(trainee, rows, {batchSize: 2}))
    expect(difference([(await back).loss], [(await forth).loss])).toBeNull()
  })

  test('tells how far it is', async () => {
    const heard: [number, number][] = []
    await evaluate(trainee, ROWS, {batchSize: 3, report: (done, total) => heard.push([done, total])})
    expect(heard).toEqual([
      [3, 7],
      [6, 7],
      [7, 7],
    ])
  })

  test('stops when it is told to', async () => {
    const controller = new AbortController()
    const heard: number[] = []
    const report = (done: number): void => {
      heard.push(done)
      controller.abort()
    }
    const stopped = evaluate(trainee, ROWS, {batchSize: 3, report, signal: controller.signal})
    await expect(stopped).rejects.toThrow(InterruptedError)
    expect(heard).toEqual([3])
  })

  test('refuses a loss that is not a number', async () => {
    const settings = {method: 'initial-state', conv: false, scan: true} as const
    const broken = AdapterSet.create([settings], golden.model.config, 0)
    randomise(broken, 1, NaN)
    await expect(evaluate({...trainee, adapters: broken}, ROWS, {batchSize: 3})).rejects.toThrow(NumericError)
    broken.dispose()
  })
})

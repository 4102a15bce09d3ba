import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {RandomStream} from '../../src/data/random.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {lossAndGradients, type Trainee} from '../../src/train/batch-loss.js'
import {train} from '../../src/train/train.js'
import {bitFaultsOf} from '../support/compare.js'
import {EVERY_BACKEND, useBackend} from '../support/every-backend.js'
import {MODELS, openGolden, randomise} from '../support/golden-model.js'
import {gradientsOf, type Numbers, valuesOf} from '../support/gradients.js'
import {lora, STATE} from '../support/random-adapter.js'
import {unevenRows} from '../support/uneven-rows.js'

const BATCH = collate(unevenRows([9, 31, 4, 26]))

const PROJECTIONS = ['in_proj', 'x_proj.B', 'dt_proj', 'out_proj']

const ADAPTERS: readonly [string, readonly AdapterSettings[]][] = [
  ['lora on all projections and the convolution', [lora({targets: ['*_proj', 'conv1d']})]],
  ['lora with dropout', [lora({dropout: 0.3, targets: PROJECTIONS})]],
  [
    'two entries with dropout and one without',
    [
      lora({dropout: 0.3, targets: PROJECTIONS}),
      lora({dropout: 0.1, rslora: true, targets: PROJECTIONS}),
      lora({targets: ['in_proj', 'conv1d']}),
    ],
  ],
  ['a learned first state', [STATE]],
  ['all methods', [lora({dropout: 0.2, targets: PROJECTIONS}), STATE]],
  ['the first layer only', [lora({targets: ['layers.0.**']})]],
  ['the last layer only', [lora({targets: ['layers.1.**']})]],
]

describe.each(EVERY_BACKEND.flatMap((backend) => MODELS.map((name) => [backend, name] as const)))(
  'recomputing the layers on %s, %s',
  (backend, name) => {
    let model: LanguageModel

    beforeAll(async () => {
      await useBackend(backend)
      ;({model} = await openGolden(name))
    })

    afterAll(() => {
      model.weights.dispose()
      expect(tf.memory().numTensors).toBe(0)
    })

    test.each(ADAPTERS)('changes no bit of the loss or of a gradient: %s', async (_, settings) => {
      const adapters = AdapterSet.create(settings, model.config, 1)
      randomise(adapters)
      const trainee = {adapters, model}
      const before = tf.memory()
      /** Two micro-batches that draw from one stream. */
      const both = async (recompute: boolean): Promise<Numbers[]> => {
        const options = {dropout: new RandomStream(7, 'dropout'), recompute}
        return [await gradientsOf(trainee, BATCH, options), await gradientsOf(trainee, BATCH, options)]
      }
      const [kept, recomputed] = [await both(false), await both(true)]
      for (const [index, {gradients, loss}] of kept.entries()) {
        expect(Object.keys(gradients)).not.toEqual([])
        expect(recomputed[index].loss).toBe(loss)
        expect(bitFaultsOf(recomputed[index].gradients, gradients)).toEqual({})
      }
      const after = tf.memory()
      expect([after.numTensors, after.numDataBuffers]).toEqual([before.numTensors, before.numDataBuffers])
      adapters.dispose()
    })
  },
)

describe('recomputing the layers', () => {
  let model: LanguageModel
  let adapters: AdapterSet

  beforeAll(async () => {
    await useBackend('wasm')
    ;({model} = await openGolden('mamba1'))
    adapters = AdapterSet.create([lora({dropout: 0.2, targets: PROJECTIONS}), STATE], model.config, 1)
    randomise(adapters)
  })

  afterAll(() => {
    adapters.dispose()
    model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  /** Kernels that one pass forward and backward runs, by name, and the most bytes at once. */
  async function workOf(trainee: Trainee, recompute: boolean): Promise<{scans: number; peakBytes: number}> {
    const {kernels, peakBytes, result} = await tf.profile(() => {
      lossAndGradients(trainee, BATCH, {recompute}).dispose()
      return tf.scalar(0)
    })
    tf.dispose(result)
    return {peakBytes, scans: kernels.filter(({name}) => name === 'MambaSelectiveScan').length}
  }

  test('runs each layer twice and takes less memory', async () => {
    const [kept, recomputed] = [await workOf({adapters, model}, false), await workOf({adapters, model}, true)]
    expect(kept.scans).toBe(model.config.layers)
    expect(recomputed.scans).toBe(2 * model.config.layers)
    expect(recomputed.peakBytes).toBeLessThan(0.75 * kept.peakBytes)
  })

  test('trains to the same bits, with accumulated gradients and dropout', async () => {
    const trained = async (recompute: boolean): Promise<Record<string, Float32Array>> => {
      const own = AdapterSet.create(adapters.settings, model.config, 1)
      await train({
        report: () => {},
        settings: {
          batchSize: 2,
          epochs: 2,
          evaluation: {atStart: false, every: 1},
          gradientAccumulation: 2,
          learningRate: 1e-2,
          maxSteps: null,
          optimizer: {beta1: 0.9, beta2: 0.999, clipNorm: 1, epsilon: 1e-8, weightDecay: 0.1},
          maxSkips: 0,
          recompute,
          schedule: {minRatio: 0, name: 'constant', warmup: 0},
          seed: 3,
          shuffle: true,
        },
        train: unevenRows([9, 31, 4, 26, 12, 7]),
        trainee: {adapters: own, model},
        validation: null,
      })
      const values = await valuesOf(own)
      own.dispose()
      return values
    }
    expect(bitFaultsOf(await trained(true), await trained(false))).toEqual({})
  })
})

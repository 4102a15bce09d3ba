import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {RandomStream} from '../../src/data/random.js'
import {baseSites, type Sites} from '../../src/model/sites.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {batchLoss} from '../../src/train/batch-loss.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, openGolden, randomise} from '../support/golden-model.js'
import {gradientsOf} from '../support/gradients.js'

const SITE = 'layers.0.mixer.in_proj'
const SHARE = 0.25
const DRAWS = 2000

describe('dropout of lora', () => {
  let golden: GoldenModel
  let adapters: AdapterSet
  let x: tf.Tensor3D

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden('mamba1')
    const settings = {method: 'lora', targets: ['in_proj'], rank: 4, alpha: 8, dropout: SHARE, rslora: false} as const
    adapters = AdapterSet.create([{...settings, targets: [...settings.targets]}], golden.model.config, 1)
    randomise(adapters)
    const random = new RandomStream(2)
    x = tf.tensor3d(
      Float32Array.from({length: 2 * 32}, () => random.normal()),
      [1, 2, 32],
    )
  })

  afterAll(() => {
    adapters.dispose()
    x.dispose()
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  const output = async (sites: Sites): Promise<Float32Array> => {
    const y = tf.tidy(() => sites.linear(SITE, x))
    const values = (await y.data<'float32'>()).slice()
    y.dispose()
    return values
  }

  test('keeps the mean of the update, and changes every draw', async () => {
    const {weights} = golden.model
    const base = await output(baseSites(weights))
    const whole = await output(adapters.sites(weights))
    const random = new RandomStream(3)
    const mean = new Float64Array(whole.length)
    let spread = 0
    for (let draw = 0; draw < DRAWS; draw++) {
      for (const [i, value] of (await output(adapters.sites(weights, random))).entries()) {
        mean[i] += value / DRAWS
        spread = Math.max(spread, Math.abs(value - whole[i]))
      }
    }
    const largest = Math.max(...whole.map((value, i) => Math.abs(value - base[i])))
    expect(spread).toBeGreaterThan(largest / 10)
    // The mean of n draws is off by a deviation of one draw over √n, and five of those at most.
    const error = Math.max(...mean.map((value, i) => Math.abs(value - whole[i])))
    expect(error).toBeLessThan((5 * spread) / Math.sqrt(DRAWS))
  })

  test('is off outside training, and a pure function of the stream in training', async () => {
    const trainee = {adapters, model: golden.model}
    const batch = collate(golden.examples)
    const plain = await batchLoss(trainee, batch)
    const lossWith = async (dropout: RandomStream | null): Promise<number> =>
      (await gradientsOf(trainee, batch, {dropout})).loss
    expect(difference([await lossWith(null)], [plain])).toBeNull()
    expect(difference([await lossWith(new RandomStream(4))], [plain])).not.toBeNull()
    expect(await lossWith(new RandomStream(4))).toBe(await lossWith(new RandomStream(4)))
    expect(await lossWith(new RandomStream(4))).not.toBe(await lossWith(new RandomStream(5)))
  })
})

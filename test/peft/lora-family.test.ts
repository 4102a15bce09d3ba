/** What the relatives of LoRA promise beyond the contract: rates, first values, refusals, and DoRA as its paper writes it. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RecipeError} from '../../src/errors.js'
import {baseSites} from '../../src/model/sites.js'
import {AdapterSet, parameterSpecs} from '../../src/peft/adapter-set.js'
import {mergeFactors} from '../../src/peft/low-rank-merge.js'
import {veraSettings} from '../../src/peft/vera-settings.js'
import {sharedMatrix} from '../../src/peft/vera-matrices.js'
import {tensorRates} from '../../src/train/tensor-rates.js'
import {difference} from '../support/close.js'
import {bitFaultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, logitsInOnePass, openGolden, randomise} from '../support/golden-model.js'
import {lora, STATE, vera} from '../support/random-adapter.js'

describe('the family of LoRA', () => {
  let golden: GoldenModel

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden('mamba1')
  })

  afterAll(() => {
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test('has rates by tensor and by entry, which are 1 where nothing is said of them', async () => {
    const settings = [
      lora({dora: true, lora_plus: 16, targets: ['layers.0.mixer.in_proj']}),
      lora({learning_rate: 5e-3, lora_plus: 2, targets: ['layers.0.mixer.out_proj']}),
      {...STATE, conv: false, learning_rate: 1e-3},
      lora({targets: ['layers.0.mixer.dt_proj']}),
    ]
    const adapters = await AdapterSet.createFor(settings, golden.model, 1)
    const rates = tensorRates(adapters, 1e-3)
    adapters.dispose()
    const ofLearning = Object.fromEntries([...rates].map(([name, {learningRate}]) => [name, learningRate]))
    expect(ofLearning).toEqual({
      'adapters.0.layers.0.mixer.in_proj.lora_A': 1,
      'adapters.0.layers.0.mixer.in_proj.lora_B': 16,
      'adapters.0.layers.0.mixer.in_proj.lora_magnitude_vector': 16,
      'adapters.1.layers.0.mixer.out_proj.lora_A': 5,
      'adapters.1.layers.0.mixer.out_proj.lora_B': 10,
      'adapters.2.layers.0.mixer.initial_state.scan': 1,
      'adapters.2.layers.1.mixer.initial_state.scan': 1,
      'adapters.3.layers.0.mixer.dt_proj.lora_A': 1,
      'adapters.3.layers.0.mixer.dt_proj.lora_B': 1,
    })
    expect([...rates.values()].map(({weightDecay}) => weightDecay)).toEqual(new Array(9).fill(1))
  })

  test('starts from the principal part: s B A takes it from the weight and gives it back', async () => {
    const name = 'backbone.layers.0.mixer.out_proj.weight'
    const weight = await golden.model.weights.get(name).data<'float32'>()
    const [rows, inputs] = golden.model.weights.get(name).shape
    // As many ranks as singular values: B A is all of the weight.
    const settings = [lora({alpha: 12, init: 'pissa', rank: rows, targets: ['layers.0.mixer.out_proj']})]
    const adapters = await AdapterSet.createFor(settings, golden.model, 1)
    const values = await adapters.values()
    adapters.dispose()
    const [down, up, firstDown, firstUp] = ['lora_A', 'lora_B', 'pissa_A', 'pissa_B'].map(
      (tensor) => values.get(`adapters.0.layers.0.mixer.out_proj.${tensor}`)?.values ?? new Float32Array(),
    )
    expect(bitFaultsOf({down, up}, {down: firstDown, up: firstUp})).toEqual({})
    const whole = new Float32Array(weight.length)
    const site = {from: 0, inputs, kind: 'linear', module: '', name: '', slice: null, to: rows} as const
    mergeFactors(whole, whole, site, {down, magnitudes: null, rank: rows, scale: 12 / rows, up})
    expect(difference(whole, weight)).toBeNull()
  })

  test('refuses more ranks than a slice has singular values, naming it', () => {
    const settings = [lora({init: 'pissa', rank: 9, targets: ['x_proj.B']})] // N 8
    const specs = (): unknown => parameterSpecs(settings, golden.model.config)
    expect(specs).toThrow(RecipeError)
    expect(specs).toThrow(expect.objectContaining({faults: [expect.objectContaining({where: 'adapters.0.rank'})]}))
  })

  test('sites of settled values give the same logits, bit for bit', async () => {
    const settings = [
      lora({dora: true, init: 'pissa', targets: ['in_proj', 'conv1d']}),
      vera({targets: ['x_proj', 'out_proj']}),
    ]
    const adapters = await AdapterSet.createFor(settings, golden.model, 1)
    randomise(adapters)
    const {model} = golden
    const [ids] = golden.examples.map((example) => example.ids)
    const settled = adapters.settledSites(model.weights)
    await logitsInOnePass(model, settled, ids)
    const [again, anew, bare] = [
      await logitsInOnePass(model, settled, ids),
      await logitsInOnePass(model, adapters.sites(model.weights), ids),
      await logitsInOnePass(model, baseSites(model.weights), ids),
    ]
    adapters.dispose()
    expect(bitFaultsOf({again}, {again: anew})).toEqual({})
    expect(difference(again, bare)).not.toBeNull()
  })

  test("random matrices of VeRA depend on the adapter's seed and their shape alone", () => {
    const settings = veraSettings.parse({method: 'vera', targets: ['in_proj']})
    const matrix = sharedMatrix(settings, 'A', [3, 50])
    expect(bitFaultsOf({matrix}, {matrix: sharedMatrix({...settings, dropout: 0.5}, 'A', [3, 50])})).toEqual({})
    for (const other of [sharedMatrix({...settings, seed: 1}, 'A', [3, 50]), sharedMatrix(settings, 'B', [3, 50])]) {
      expect(other[0]).not.toBe(matrix[0])
    }
    const bound = Math.sqrt(6 / 50)
    expect(Math.max(...matrix.map(Math.abs))).toBeLessThanOrEqual(bound)
    expect(Math.max(...matrix.map(Math.abs))).toBeGreaterThan(0.9 * bound)
    // Pinned: an adapter's file holds the seed alone.
    expect([...matrix.slice(0, 3)]).toEqual([0.17776045203208923, 0.16778744757175446, 0.1678958535194397])
  })
})

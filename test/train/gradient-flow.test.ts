import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {NumericError} from '../../src/errors.js'
import {baseSites, type Sites} from '../../src/model/sites.js'
import {type Weights} from '../../src/model/weights.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type Trainee} from '../../src/train/batch-loss.js'
import {checkGradientFlow} from '../../src/train/gradient-flow.js'
import {bitFaultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, openGolden, randomise} from '../support/golden-model.js'

const LORA = {method: 'lora', targets: ['in_proj', 'dt_proj'], rank: 2, alpha: 4, dropout: 0, rslora: false} as const
const STATE = {method: 'initial-state', conv: true, scan: true} as const

describe('the gradient-flow check', () => {
  let golden: GoldenModel
  let adapters: AdapterSet

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden('mamba1')
    adapters = AdapterSet.create([{...LORA, targets: [...LORA.targets]}, STATE], golden.model.config, 1)
  })

  afterAll(() => {
    adapters.dispose()
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  const values = (): Record<string, Float32Array> =>
    Object.fromEntries([...adapters.values()].map(([name, value]) => [name, value.values]))

  /** The adapters around a model that goes past some of its sites, as fused kernels of other programs do. */
  function around(sites: (weights: Weights) => Sites): Trainee {
    const bypassed = {sites, values: () => adapters.values(), variables: adapters.variables}
    return {adapters: bypassed as unknown as AdapterSet, model: golden.model}
  }

  function refusalOf(trainee: Trainee): NumericError {
    try {
      checkGradientFlow(trainee, golden.examples)
    } catch (error) {
      if (error instanceof NumericError) return error
      throw error
    }
    throw new Error('expected a refusal')
  }

  test('counts the tensors that train, and a fresh B of zeros is no obstacle', () => {
    expect(checkGradientFlow({adapters, model: golden.model}, golden.examples)).toBe(adapters.variables.size)
  })

  test('is content with a single short row', () => {
    const row = {ids: Int32Array.of(5, 6), labels: Int32Array.of(-100, 6), where: 'row:1'}
    expect(checkGradientFlow({adapters, model: golden.model}, [row])).toBe(adapters.variables.size)
  })

  test('leaves every value as it was, to the last bit, and no tensor behind', () => {
    const before = values()
    const {numTensors} = tf.memory()
    checkGradientFlow({adapters, model: golden.model}, golden.examples)
    expect(bitFaultsOf(values(), before)).toEqual({})
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  test('names the tensors of a site that the model never calls, and only those', () => {
    const trainee = around((weights) => {
      const [all, bare] = [adapters.sites(weights), baseSites(weights)]
      const linear: Sites['linear'] = (name, x) => (name.endsWith('dt_proj') ? bare : all).linear(name, x)
      return {...all, linear}
    })
    const before = values()
    const {exit, faults} = refusalOf(trainee)
    expect(exit).toBe(7)
    expect(faults.map(({where}) => where)).toEqual(
      [0, 1].flatMap((layer) => ['A', 'B'].map((matrix) => `adapters.0.layers.${layer}.mixer.dt_proj.lora_${matrix}`)),
    )
    expect(new Set(faults.map(({message}) => message))).toEqual(new Set(['the loss does not depend on it']))
    expect(bitFaultsOf(values(), before)).toEqual({})
  })

  test('names all tensors when the model calls none of the sites', () => {
    const {faults} = refusalOf(around((weights) => baseSites(weights)))
    expect(faults.map(({where}) => where)).toEqual([...adapters.variables.keys()])
  })

  test('names a tensor whose gradient is zero everywhere', () => {
    const trainee = around((weights) => {
      const all = adapters.sites(weights)
      const scan: Sites['scan'] = (layer, inputs, run) =>
        all.scan(layer, inputs, ({h0, ...rest}) => run({...rest, h0: h0 && tf.zerosLike(h0)}))
      return {...all, scan}
    })
    expect(refusalOf(trainee).faults).toEqual(
      [0, 1].map((layer) => ({
        message: 'its gradient is zero everywhere',
        where: `adapters.1.layers.${layer}.mixer.initial_state.scan`,
      })),
    )
  })

  test('names a tensor whose gradient is not finite', () => {
    const before = values()
    randomise(adapters, 1, NaN)
    const {faults} = refusalOf({adapters, model: golden.model})
    expect(new Set(faults.map(({message}) => message))).toEqual(new Set(['its gradient is not finite']))
    for (const [name, variable] of adapters.variables) {
      const again = tf.tensor(before[name], variable.shape)
      variable.assign(again)
      again.dispose()
    }
  })
})

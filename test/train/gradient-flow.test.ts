import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {NumericError} from '../../src/errors.js'
import {baseSites, type Sites} from '../../src/model/sites.js'
import {type Weights} from '../../src/model/weights.js'
import {setValues} from '../../src/ops/adamw/parameter-arena.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type Trainee} from '../../src/train/batch-loss.js'
import {checkGradientFlow} from '../../src/train/gradient-flow.js'
import {bitFaultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, openGolden, randomise} from '../support/golden-model.js'
import {valuesOf} from '../support/gradients.js'

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

  const values = (): Promise<Record<string, Float32Array>> => valuesOf(adapters)

  /** The adapters around a model that goes past some of its sites, as fused kernels of other programs do. */
  function around(sites: (weights: Weights) => Sites): Trainee {
    const bypassed = {sites, values: () => adapters.values(), variables: adapters.variables}
    return {adapters: bypassed as unknown as AdapterSet, model: golden.model}
  }

  async function refusalOf(trainee: Trainee): Promise<NumericError> {
    try {
      await checkGradientFlow(trainee, golden.examples)
    } catch (error) {
      if (error instanceof NumericError) return error
      throw error
    }
    throw new Error('expected a refusal')
  }

  test('counts the tensors that train, and a fresh B of zeros is no obstacle', async () => {
    expect(await checkGradientFlow({adapters, model: golden.model}, golden.examples)).toBe(adapters.variables.size)
  })

  test('is content with a single short row', async () => {
    const row = {ids: Int32Array.of(5, 6), labels: Int32Array.of(-100, 6), where: 'row:1'}
    expect(await checkGradientFlow({adapters, model: golden.model}, [row])).toBe(adapters.variables.size)
  })

  test('leaves every value as it was, to the last bit, and no tensor behind', async () => {
    const before = await values()
    const {numTensors} = tf.memory()
    await checkGradientFlow({adapters, model: golden.model}, golden.examples)
    expect(bitFaultsOf(await values(), before)).toEqual({})
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  test('names the tensors of a site that the model never calls, and only those', async () => {
    const trainee = around((weights) => {
      const [all, bare] = [adapters.sites(weights), baseSites(weights)]
      const linear: Sites['linear'] = (name, x) => (name.endsWith('dt_proj') ? bare : all).linear(name, x)
      return {...all, linear}
    })
    const before = await values()
    const {exit, faults} = await refusalOf(trainee)
    expect(exit).toBe(7)
    expect(faults.map(({where}) => where)).toEqual(
      [0, 1].flatMap((layer) => ['A', 'B'].map((matrix) => `adapters.0.layers.${layer}.mixer.dt_proj.lora_${matrix}`)),
    )
    expect(new Set(faults.map(({message}) => message))).toEqual(new Set(['the loss does not depend on it']))
    expect(bitFaultsOf(await values(), before)).toEqual({})
  })

  test('names all tensors when the model calls none of the sites', async () => {
    const {faults} = await refusalOf(around((weights) => baseSites(weights)))
    expect(faults.map(({where}) => where)).toEqual([...adapters.variables.keys()])
  })

  test('names a tensor whose gradient is zero everywhere', async () => {
    const trainee = around((weights) => {
      const all = adapters.sites(weights)
      const scan: Sites['scan'] = (layer, inputs, run) =>
        all.scan(layer, inputs, (changed) => run({...changed, h0: changed.h0 && tf.zerosLike(changed.h0)}))
      return {...all, scan}
    })
    expect((await refusalOf(trainee)).faults).toEqual(
      [0, 1].map((layer) => ({
        message: 'its gradient is zero everywhere',
        where: `adapters.1.layers.${layer}.mixer.initial_state.scan`,
      })),
    )
  })

  test('names a tensor whose gradient is not finite', async () => {
    const before = await values()
    randomise(adapters, 1, NaN)
    const {faults} = await refusalOf({adapters, model: golden.model})
    expect(new Set(faults.map(({message}) => message))).toEqual(new Set(['its gradient is not finite']))
    for (const [name, variable] of adapters.variables) setValues(variable, before[name])
  })
})

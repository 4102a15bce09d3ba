import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {cp, readdir, readFile, writeFile} from 'node:fs/promises'
import {NumericError, RecipeError} from '../../src/errors.js'
import {type AnyScanInputs, type AnyScanOutputs, baseSites, type Sites} from '../../src/model/sites.js'
import {type Weights} from '../../src/model/weights.js'
import {setValues} from '../../src/ops/adamw/parameter-arena.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {logitsInOnePass, openGolden} from '../support/golden-model.js'
import {configIn, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'
import {deltaScale} from './parameter-rows.js'

/** Factors in the first layer and the second; for channels they go on from the one to the other. */
const factorOf = (layer: number, channel: number): number => 0.6 + 0.5 * layer + 0.01 * channel

/** The scan of Δ · s itself: what goes into softplus is changed so that s times as much comes out. */
function scaledSites(weights: Weights, channels: number): Sites {
  const base = baseSites(weights)
  return {
    ...base,
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ) {
      const factors = Array.from({length: channels}, (_, channel) => factorOf(layer, channel))
      const step = tf.mul<tf.Tensor3D>(tf.softplus(inputs.delta), tf.tensor1d(factors)) // (B, L, ·)
      return base.scan(layer, {...inputs, delta: tf.log(tf.expm1(step))}, run)
    },
  }
}

describe('delta-scale', () => {
  beforeAll(() => useBackend('wasm'))
  afterAll(() => expect(tf.memory().numTensors).toBe(0))

  test.each([
    ['mamba1', 'layer'],
    ['mamba1', 'channel'],
    ['falcon-mamba', 'layer'],
    ['falcon-mamba', 'channel'],
    ['mamba2', 'layer'],
  ] as const)('on %s, for each %s, is the scan of s Δ', async (name, per) => {
    const {examples, model} = await openGolden(name)
    const channels = per === 'channel' ? model.config.inner : 1
    const adapters = AdapterSet.create([deltaScale(per)], model.config, 1)
    for (const [layer, variable] of [...adapters.variables.values()].entries()) {
      setValues(
        variable,
        Float32Array.from({length: channels}, (_, channel) => Math.log(factorOf(layer, channel))),
      )
    }
    const [{ids}] = examples
    const expected = await logitsInOnePass(model, scaledSites(model.weights, channels), ids)
    expect(difference(await logitsInOnePass(model, adapters.sites(model.weights), ids), expected)).toBeNull()
    const bare = await logitsInOnePass(model, baseSites(model.weights), ids)
    expect(difference(expected, bare, {absolute: 0.01, relative: 0.01})).not.toBeNull()
    adapters.dispose()
    model.weights.dispose()
  })

  test('for each channel of Mamba-2 is refused with the reason', async () => {
    const config = await configIn(goldenPath('mamba2'))
    const create = (): AdapterSet => AdapterSet.create([deltaScale('channel')], config, 1)
    expect(create).toThrow(RecipeError)
    expect(create).toThrow('not defined for Mamba-2')
  })
})

describe('merging delta-scale into a Mamba-2 whose ε counts', () => {
  const inWork = workDirectory()

  test('is refused by the certificate, which says why, and writes nothing', async () => {
    await useBackend('wasm')
    const model = inWork('model')
    await cp(goldenPath('mamba2'), model, {recursive: true})
    const config = JSON.parse(await readFile(`${model}/config.json`, 'utf8')) as Record<string, unknown>
    await writeFile(`${model}/config.json`, JSON.stringify({...config, layer_norm_epsilon: 0.05}))
    const adapter = await writeRandomAdapter(inWork('adapter'), {model, settings: [deltaScale('layer')]})
    const merged = mergeAdapter({
      adapter,
      anyBase: false,
      base: model,
      batches: probeBatches,
      dtype: 'f32',
      out: inWork('merged'),
      partial: false,
    })
    await expect(merged).rejects.toThrow(NumericError)
    await expect(merged).rejects.toMatchObject({
      faults: expect.arrayContaining([{message: expect.stringContaining('ε of the norm'), where: 'adapter'}]),
      hint: expect.stringContaining('--adapter'),
    })
    expect((await readdir(inWork())).sort()).toEqual(['adapter', 'model'])
    expect(tf.memory().numTensors).toBe(0)
  })
})

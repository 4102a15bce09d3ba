import {describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {collate} from '../../src/data/batches.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {logitsInOnePass, openGolden, randomise} from '../support/golden-model.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {moreStates, STATE, stateOffset} from '../support/random-adapter.js'

const SETTINGS: readonly AdapterSettings[] = [
  stateOffset({form: 'h', rank: 2}),
  moreStates({first_a: 'last', states: 6}),
  stateOffset({form: 'y'}),
  {...STATE, scale: 0.65},
]

/** Loss and every gradient on the current device, or of Mamba-2, whose shaders software compiles slowly, the logits. */
async function computed(name: string): Promise<Record<string, Float32Array>> {
  const {examples, model} = await openGolden(name)
  const adapters = AdapterSet.create(SETTINGS, model.config, 1)
  randomise(adapters)
  try {
    if (name === 'mamba2') {
      return {logits: await logitsInOnePass(model, adapters.sites(model.weights), examples[0].ids)}
    }
    const {dispose, gradients, loss} = lossAndGradients({adapters, model}, collate(examples))
    const entries = [['loss', loss] as const, ...gradients].map(
      async ([tensor, values]) => [tensor, (await values.data<'float32'>()).slice()] as const,
    )
    const values = Object.fromEntries(await Promise.all(entries))
    dispose()
    return values
  } finally {
    adapters.dispose()
    model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  }
}

describe('methods on the state', () => {
  describeGpu('on the GPU', () => {
    test.each(['mamba1', 'mamba2'])('compute in %s what they compute on the processor', async (name) => {
      await useBackend('wasm')
      const expected = await computed(name)
      await useGpu()
      const actual = await computed(name)
      expect(Object.keys(actual)).toEqual(Object.keys(expected))
      const faults = Object.entries(expected).flatMap(([tensor, values]) => {
        const fault = difference(actual[tensor], values)
        return fault === null ? [] : [[tensor, fault]]
      })
      expect(faults).toEqual([])
    })
  })
})

import {describe, expect, test} from '@jest/globals'
import {collate} from '../../src/data/batches.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {lossAndGradients} from '../../src/train/batch-loss.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {openGolden, randomise} from '../support/golden-model.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {moreStates, STATE, stateOffset} from '../support/random-adapter.js'

const SETTINGS: readonly AdapterSettings[] = [
  stateOffset({form: 'h', rank: 2}),
  moreStates({first_a: 'last', states: 6}),
  stateOffset({form: 'y'}),
  {...STATE, scale: 0.65},
]

/** Loss and every gradient on the current device, and what is left on it. */
async function computed(name: string): Promise<Record<string, Float32Array>> {
  const {examples, model} = await openGolden(name)
  const adapters = AdapterSet.create(SETTINGS, model.config, 1)
  randomise(adapters)
  const {dispose, gradients, loss} = lossAndGradients({adapters, model}, collate(examples))
  const entries = [['loss', loss] as const, ...gradients].map(
    async ([tensor, values]) => [tensor, (await values.data<'float32'>()).slice()] as const,
  )
  const values = Object.fromEntries(await Promise.all(entries))
  dispose()
  adapters.dispose()
  model.weights.dispose()
  return values
}

describe('methods on the state', () => {
  describeGpu('on the GPU', () => {
    test.each(['mamba1', 'mamba2'])(
      'have the loss and the gradients in %s that they have on the processor',
      async (name) => {
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
      },
    )
  })
})

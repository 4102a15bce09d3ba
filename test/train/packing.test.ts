/** Packed rows give what the same rows give unpacked: the summed loss and every gradient, of every model on every backend. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {type Batch, collate} from '../../src/data/batches.js'
import {collatePacked} from '../../src/data/packed-batch.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {faultsOf} from '../support/compare.js'
import {useBackend} from '../support/every-backend.js'
import {BACKENDS_WITH_MODELS, openGolden, randomise} from '../support/golden-model.js'
import {gradientsOf} from '../support/gradients.js'
import {lora, moreStates, STATE, stateOffset} from '../support/random-adapter.js'
import {unevenRows} from '../support/uneven-rows.js'

const ROWS = unevenRows([9, 31, 4, 26, 2, 17])
const UNPACKED = collate(ROWS)
const [a, b, c, d, e, f] = ROWS
const PACKED = collatePacked([[a, b, c], [d, e], [f]])

const ADAPTERS: readonly [string, readonly AdapterSettings[]][] = [
  ['lora on all projections and the convolution', [lora({targets: ['*_proj', 'conv1d']})]],
  ['a learned first state besides', [lora({targets: ['in_proj']}), STATE]],
  ['a learned first state of low rank', [{...STATE, rank: 2}]],
  [
    'a scaled first state, and offsets of the state',
    [{...STATE, scale: 0.5}, stateOffset({}), stateOffset({form: 'y'})],
  ],
]

/** Falcon-Mamba has none: its norm is over the states of a channel. */
const MORE_STATES: (typeof ADAPTERS)[number] = ['additional states, beside a first state', [moreStates({}), STATE]]

/** The same rows as one sequence each, so that state and window leak from row to row. */
function leaking(batch: Batch): Batch {
  const {positions, ...rest} = batch
  expect(positions).toBeDefined()
  return rest
}

/** The kernels are the same on `cpu` as on `wasm`, where they run without copies. */
const CASES = BACKENDS_WITH_MODELS.filter(
  ([backend, name]) => backend !== 'cpu' && ['mamba1', 'falcon-mamba', 'mamba2'].includes(name),
)

/** Mamba-2 on the GPU without and with a first state: software drivers take long for the shaders of each more. */
function adaptersFor(backend: string, name: string): typeof ADAPTERS {
  if (name === 'falcon-mamba') return ADAPTERS
  return backend === 'gpu' && name === 'mamba2' ? ADAPTERS.slice(0, 2) : [...ADAPTERS, MORE_STATES]
}

describe.each(CASES)('packing on %s, %s', (backend, name) => {
  let model: LanguageModel

  beforeAll(async () => {
    await useBackend(backend)
    ;({model} = await openGolden(name))
  })

  afterAll(() => {
    model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  test.each(adaptersFor(backend, name))('changes neither the loss nor a gradient: %s', async (_, settings) => {
    const adapters = AdapterSet.create(settings, model.config, 1)
    randomise(adapters)
    const trainee = {adapters, model}
    const before = tf.memory().numTensors
    const expected = await gradientsOf(trainee, UNPACKED)
    for (const recompute of [false, true]) {
      const {gradients, loss} = await gradientsOf(trainee, PACKED, {recompute})
      expect(faultsOf({...gradients, loss: [loss]}, {...expected.gradients, loss: [expected.loss]})).toEqual({})
    }
    const leaked = await gradientsOf(trainee, leaking(PACKED))
    expect(
      Object.keys(faultsOf({...leaked.gradients, loss: [leaked.loss]}, {...expected.gradients, loss: [expected.loss]})),
    ).not.toEqual([])
    expect(tf.memory().numTensors).toBe(before)
    adapters.dispose()
  })
})

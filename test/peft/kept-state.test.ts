import {afterEach, beforeEach, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {UsageError} from '../../src/errors.js'
import {baseSites} from '../../src/model/sites.js'
import {promptState} from '../../src/peft/prompt-state.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, logitsInOnePass, openGolden} from '../support/golden-model.js'
import {describeGpu, useGpu} from '../support/gpu.js'
import {stateAdapter} from '../support/state-adapters.js'

const PREFIX = 11

/** Largest error of the logits behind a prompt whose state was kept, against those of the model that has read it. */
async function faultBehindPrompt({examples: [{ids}], model}: GoldenModel): Promise<string | null> {
  const sites = baseSites(model.weights)
  const whole = await logitsInOnePass(model, sites, ids)
  const values = await promptState({model, sites}, [...ids.subarray(0, PREFIX)])
  const adapter = stateAdapter(model, values)
  const rest = await logitsInOnePass(model, adapter.sites(model.weights), ids.subarray(PREFIX))
  adapter.dispose()
  return difference(rest, whole.subarray(PREFIX * model.config.vocabulary))
}

describe.each(['mamba1', 'falcon-mamba', 'mamba2'])('the state of a text in %s', (name) => {
  let golden: GoldenModel
  let before: tf.MemoryInfo

  beforeEach(async () => {
    await useBackend('wasm')
    golden = await openGolden(name)
    before = tf.memory()
  })

  afterEach(() => {
    const after = tf.memory()
    expect([after.numTensors, after.numBytes]).toEqual([before.numTensors, before.numBytes])
    golden.model.weights.dispose()
  })

  test('continues as the model that has read it', async () => {
    expect(await faultBehindPrompt(golden)).toBeNull()
  })

  test('is the same when the text is read in pieces, and every piece is reported', async () => {
    const {examples, model} = golden
    const ids = Array.from({length: 1100}, (_, at) => examples[0].ids[at % examples[0].ids.length])
    const sites = baseSites(model.weights)
    const read: number[] = []
    const values = await promptState({model, sites}, ids, {report: (done) => read.push(done)})
    const adapter = stateAdapter(model, values)
    const last = Int32Array.of(examples[0].ids[0])
    const behind = await logitsInOnePass(model, adapter.sites(model.weights), last)
    const whole = await logitsInOnePass(model, sites, Int32Array.from([...ids, ...last]))
    adapter.dispose()
    expect(difference(behind, whole.subarray(ids.length * model.config.vocabulary))).toBeNull()
    expect(read).toEqual([512, 1024, 1100])
  })

  test('needs a text, and stops when asked to', async () => {
    const {examples, model} = golden
    const parts = {model, sites: baseSites(model.weights)}
    await expect(promptState(parts, [])).rejects.toThrow(UsageError)
    const aborted = AbortSignal.abort(new Error('stopped'))
    await expect(promptState(parts, [...examples[0].ids], {signal: aborted})).rejects.toThrow('stopped')
  })
})

describeGpu('the state of a text on the GPU', () => {
  test.each(['mamba1', 'falcon-mamba', 'mamba2'])('continues %s as if it had been read', async (name) => {
    await useGpu()
    const golden = await openGolden(name)
    expect(await faultBehindPrompt(golden)).toBeNull()
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })
})

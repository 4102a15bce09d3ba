import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {readdir} from 'node:fs/promises'
import {MismatchError} from '../../src/errors.js'
import {attachModel} from '../../src/peft/attached-model.js'
import {combineAdapters} from '../../src/peft/combine-files.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {logitsInOnePass} from '../support/golden-model.js'
import {configIn, lora, STATE, vera, weightUpdates, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const MODEL = goldenPath('mamba1')
const IDS = Int32Array.from({length: 20}, (_, index) => (7 * index + 3) % 96)

/** Of the first adapter; the second has other ranks, scales and sites, some of them the same. */
const FIRST: readonly AdapterSettings[] = [lora({targets: ['in_proj', 'x_proj.B', 'lm_head', 'conv1d']})]
const SECOND: readonly AdapterSettings[] = [
  lora({alpha: 5, rank: 2, rslora: true, targets: ['in_proj', 'embeddings']}),
  lora({rank: 4, targets: ['layers.1.mixer.out_proj', 'in_proj.z']}),
]

const inWork = workDirectory()
let [a, b] = ['', '']

beforeAll(async () => {
  await useBackend('wasm')
  a = await writeRandomAdapter(inWork('a'), {settings: FIRST})
  b = await writeRandomAdapter(inWork('b'), {settings: SECOND})
})

afterAll(() => {
  expect(tf.memory().numTensors).toBe(0)
})

const logitsOf = async (adapter: string): Promise<Float32Array> => {
  const attached = await attachModel({adapter, model: MODEL})
  const logits = await logitsInOnePass(attached.model, attached.sites, IDS)
  attached.dispose()
  return logits
}

const both = (first: number, second: number): {directory: string; weight: number}[] => [
  {directory: a, weight: first},
  {directory: b, weight: second},
]

describe('adapters combined', () => {
  test('add to every weight the weighted sum of what they add alone', async () => {
    const {error} = await combineAdapters({adapters: both(0.7, -0.3), out: inWork('sum'), rank: null})
    expect(error).toBe(0)
    const config = await configIn(MODEL)
    const [left, right, sum] = await Promise.all(
      [a, b, inWork('sum')].map(async (adapter) => weightUpdates(await readAdapter(adapter), config)),
    )
    expect([...sum.keys()].sort()).toEqual([...new Set([...left.keys(), ...right.keys()])].sort())
    for (const [module, update] of sum) {
      const expected = update.map(
        (_, index) => 0.7 * (left.get(module)?.[index] ?? 0) - 0.3 * (right.get(module)?.[index] ?? 0),
      )
      expect([module, difference(update, expected, {absolute: 1e-6, relative: 1e-6})]).toEqual([module, null])
    }
  })

  test('of which one has all the weight, give its logits, and halves of one and the same too', async () => {
    const expected = await logitsOf(a)
    await combineAdapters({adapters: both(1, 0), out: inWork('one'), rank: null})
    expect(difference(await logitsOf(inWork('one')), expected)).toBeNull()
    const halves = [0.5, 0.5].map((weight) => ({directory: a, weight}))
    await combineAdapters({adapters: halves, out: inWork('halves'), rank: null})
    expect(difference(await logitsOf(inWork('halves')), expected)).toBeNull()
    const {error} = await combineAdapters({adapters: halves, out: inWork('cut'), rank: 3})
    expect(error).toBeLessThan(1e-12)
    expect(difference(await logitsOf(inWork('cut')), expected)).toBeNull()
  })

  test('on the head, where logits are linear, give the weighted sum of what each does to the logits', async () => {
    const heads = await Promise.all(
      [2, 5].map((rank) =>
        writeRandomAdapter(inWork(`head ${rank}`), {settings: [lora({rank, targets: ['lm_head']})]}),
      ),
    )
    const [first, second] = heads
    const adapters = [
      {directory: first, weight: 0.7},
      {directory: second, weight: 0.3},
    ]
    await combineAdapters({adapters, out: inWork('heads'), rank: null})
    const none = await writeRandomAdapter(inWork('none'), {
      change: (tensors) => {
        for (const {values} of tensors.values()) values.fill(0)
      },
      settings: [lora({targets: ['lm_head']})],
    })
    const [bare, one, other, sum] = await Promise.all([none, first, second, inWork('heads')].map(logitsOf))
    const expected = bare.map((logit, index) => logit + 0.7 * (one[index] - logit) + 0.3 * (other[index] - logit))
    expect(difference(sum, expected)).toBeNull()
  })

  test('and cut to a rank, say what is lost', async () => {
    const {error, sites} = await combineAdapters({adapters: both(0.7, 0.3), out: inWork('small'), rank: 2})
    const {settings} = await readAdapter(inWork('small'))
    expect(settings).toMatchObject([{alpha: 2, rank: 2}])
    const config = await configIn(MODEL)
    await combineAdapters({adapters: both(0.7, 0.3), out: inWork('whole'), rank: null})
    const [whole, cut] = await Promise.all(
      ['whole', 'small'].map(async (name) => weightUpdates(await readAdapter(inWork(name)), config)),
    )
    const module = 'layers.1.mixer.out_proj'
    const lost = Math.hypot(...(whole.get(module) ?? []).map((value, index) => value - (cut.get(module)?.[index] ?? 0)))
    const found = sites.find(({site}) => site === module)
    expect(found?.stacked).toBe(4)
    expect(difference([lost / Math.hypot(...(whole.get(module) ?? []))], [found?.error ?? 0])).toBeNull()
    expect(error).toBeGreaterThan(0.1)
  })

  test('that started as the principal part are summed with what is subtracted', async () => {
    const settings = [lora({init: 'pissa', targets: ['in_proj']})]
    const pissa = await writeRandomAdapter(inWork('pissa'), {settings})
    await combineAdapters({adapters: [{directory: pissa, weight: 0.5}], out: inWork('half'), rank: null})
    const config = await configIn(MODEL)
    const [whole, half] = await Promise.all(
      [pissa, inWork('half')].map(async (adapter) => weightUpdates(await readAdapter(adapter), config)),
    )
    for (const [module, update] of whole) {
      const expected = update.map((value) => 0.5 * value)
      const limits = {absolute: 1e-6, relative: 1e-6}
      expect([module, difference(half.get(module) ?? [], expected, limits)]).toEqual([module, null])
    }
  })

  test('sum whole initial states', async () => {
    const state = await writeRandomAdapter(inWork('state'), {settings: [{...STATE, scale: 0.5}]})
    const adapters = [0.5, 2].map((weight) => ({directory: state, weight}))
    await combineAdapters({adapters, out: inWork('states'), rank: null})
    const [before, after] = [await readAdapter(state), await readAdapter(inWork('states'))]
    expect(after.settings).toEqual([STATE])
    for (const [name, {values}] of before.values) {
      expect(
        difference(
          after.values.get(name)?.values ?? [],
          values.map((value) => (name.endsWith('.scan') ? 1.25 : 2.5) * value),
        ),
      ).toBeNull()
    }
  })

  test.each<[string, readonly AdapterSettings[], string | undefined, string]>([
    ['of other weights', FIRST, goldenPath('mamba1-untied-bias'), 'different models'],
    ['of a state of low rank', [{...STATE, rank: 2}], undefined, 'Only low-rank updates'],
    ['with DoRA', [lora({dora: true, targets: ['in_proj']})], undefined, 'Only low-rank updates'],
    ['of vera', [vera({targets: ['in_proj']})], undefined, 'Only low-rank updates'],
  ])('%s are refused, and nothing is written', async (name, settings, model, message) => {
    const other = await writeRandomAdapter(inWork(name), {settings, ...(model !== undefined && {model})})
    const adapters = [a, other].map((directory) => ({directory, weight: 0.5}))
    const combining = combineAdapters({adapters, out: inWork('refused'), rank: null})
    await expect(combining).rejects.toThrow(MismatchError)
    await expect(combining).rejects.toThrow(message)
    expect(await readdir(inWork())).not.toContain('refused')
  })

  test('of PEFT take their base from the model that is named', async () => {
    const adapters = ['lora', 'rslora'].map((kind) => ({directory: goldenPath('mamba1', kind), weight: 0.5}))
    await expect(combineAdapters({adapters, out: inWork('peft'), rank: null})).rejects.toThrow(MismatchError)
    const base = {directory: MODEL, name: MODEL}
    await combineAdapters({adapters, base, out: inWork('peft'), rank: null})
    const {settings} = await readAdapter(inWork('peft'))
    expect(settings).toMatchObject([{rank: 8, targets: ['in_proj', 'x_proj']}])
    // rsLoRA's scale on the same factors is twice as large: half of one and half of twice.
    const single = await logitsOf(goldenPath('mamba1', 'lora'))
    expect(difference(await logitsOf(inWork('peft')), single, {absolute: 0.01, relative: 0.01})).not.toBeNull()
  })
})

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'
import {decode, type Decoding} from '../../src/model/decoding.js'
import {type MambaConfig} from '../../src/model/config.js'
import {baseSites, type Sites} from '../../src/model/sites.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type AdapterSettings, methodSchemas} from '../../src/peft/registry.js'
import {deltaScale, partial, prodial, sparse} from '../peft/parameter-rows.js'
import {allOf} from '../support/all-of.js'
import {difference} from '../support/close.js'
import {BACKENDS, useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {
  type GoldenModel,
  logitsInOnePass,
  logitsInPieces,
  MAMBA2_MODELS,
  MODELS,
  openGolden,
  randomise,
} from '../support/golden-model.js'
import {configIn, moreStates, stateOffset, vera} from '../support/random-adapter.js'

const TARGETS = {
  mamba: ['in_proj', 'x_proj.dt', 'x_proj.B', 'x_proj.C', 'dt_proj', 'out_proj', 'conv1d'],
  mamba2: ['in_proj', 'in_proj.dt', 'in_proj.B', 'in_proj.C', 'out_proj', 'conv1d'],
}

const everyMethod = (targets: string[]): readonly AdapterSettings[] => [
  {method: 'lora', targets, rank: 3, alpha: 6, dropout: 0, rslora: true},
  {method: 'initial-state', conv: true, scan: true},
  {method: 'lora', targets, rank: 2, alpha: 4, dropout: 0, rslora: false, dora: true, init: 'pissa'},
  vera({targets}),
  stateOffset({form: 'h'}),
  partial('A_log', 'D', 'conv1d', 'norm', 'out_proj', 'embeddings'),
  deltaScale('layer'),
  prodial(),
]

/** And what only some of the models have. */
const methodsFor = ({architecture, ...config}: MambaConfig): readonly AdapterSettings[] => [
  ...everyMethod(TARGETS[architecture]),
  ...(architecture === 'mamba' ? [sparse()] : []),
  ...('mixerEpsilon' in config && config.mixerEpsilon !== null ? [] : [moreStates({states: 2})]),
]

test('the list of adapters has every method', async () => {
  const methods = methodsFor(await configIn(goldenPath('mamba1'))).map(({method}) => method)
  expect([...new Set(methods)].sort()).toEqual(methodSchemas.map(({shape}) => shape.method.value).sort())
})

const GREEDY: Decoding = {eosId: null, maxNewTokens: 1000, temperature: 0, topK: null, topP: 1}

/** The most probable token of the last of the logits (L, V), and how far the second is behind. */
function topOf(logits: Float32Array, vocabulary: number): {token: number; lead: number} {
  const last = [...logits.subarray(logits.length - vocabulary)]
  const [first, second] = last.toSorted((a, b) => b - a)
  return {lead: first - second, token: last.indexOf(first)}
}

describe.each(BACKENDS.flatMap((backend) => [...MODELS, ...MAMBA2_MODELS].map((name) => [backend, name] as const)))(
  'decoding on %s, %s',
  (backend, name) => {
    let golden: GoldenModel
    let adapters: AdapterSet
    let ids: Int32Array

    beforeAll(async () => {
      await useBackend(backend)
      golden = await openGolden(name)
      ids = golden.examples[0].ids
      adapters = await AdapterSet.createFor(methodsFor(golden.model.config), golden.model, 1)
      randomise(adapters)
    })

    afterAll(() => {
      adapters.dispose()
      golden.model.weights.dispose()
      expect(tf.memory().numTensors).toBe(0)
    })

    const sitesOf = (attached: boolean): Sites =>
      attached ? adapters.sites(golden.model.weights) : baseSites(golden.model.weights)

    describe.each([
      ['the bare model', false],
      ['all methods attached', true],
    ])('%s', (_, attached) => {
      test.each([
        ['one token at a time', 1],
        ['in pieces shorter than the window of the convolution', 2],
        ['in long pieces', 17],
      ])('reading %s gives the logits of one pass', async (_name, size) => {
        const sites = sitesOf(attached)
        const lengths = Array.from({length: Math.ceil(ids.length / size)}, (_value, piece) =>
          Math.min(size, ids.length - piece * size),
        )
        const expected = await logitsInOnePass(golden.model, sites, ids)
        expect(difference(await logitsInPieces(golden.model, sites, ids, lengths), expected)).toBeNull()
      })

      test('greedy tokens are the most probable ones of one pass over the text so far', async () => {
        const sites = sitesOf(attached)
        const {vocabulary} = golden.model.config
        let text = [...ids.subarray(0, 9)]
        const made = decode(golden.model, sites, text, {...GREEDY, maxNewTokens: 12}, new RandomStream(0))
        for await (const token of made) {
          const logits = await logitsInOnePass(golden.model, sites, Int32Array.from(text))
          expect(token).toBe(topOf(logits, vocabulary).token)
          text = [...text, token]
        }
        expect(text).toHaveLength(9 + 12)
      })
    })

    test('the attached adapters change what is decoded', async () => {
      const bare = await logitsInOnePass(golden.model, sitesOf(false), ids)
      const attached = await logitsInOnePass(golden.model, sitesOf(true), ids)
      expect(difference(attached, bare)).not.toBeNull()
    })
  },
)

describe('decoding', () => {
  let golden: GoldenModel
  let sites: Sites

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden('mamba1')
    sites = baseSites(golden.model.weights)
  })

  afterAll(() => golden.model.weights.dispose())

  const tokens = (prompt: readonly number[], settings: Partial<Decoding>): AsyncGenerator<number, void, void> =>
    decode(golden.model, sites, prompt, {...GREEDY, ...settings}, new RandomStream(0))

  test('reads a prompt longer than one piece with the state carried over', async () => {
    const random = new RandomStream(4)
    // One token more than two pieces, so that without the state nearly nothing would be known.
    const prompt = Int32Array.from({length: 2 * 512 + 1}, () => Math.floor(random.uniform() * 96))
    const whole = topOf(await logitsInOnePass(golden.model, sites, prompt), 96)
    const alone = topOf(await logitsInOnePass(golden.model, sites, prompt.subarray(2 * 512)), 96)
    expect(whole.lead).toBeGreaterThan(1e-3) // or rounding could decide
    expect(alone.token).not.toBe(whole.token) // or this test could not fail
    expect(await allOf(tokens([...prompt], {maxNewTokens: 1}))).toEqual([whole.token])
  })

  test('needs the same memory after 50 tokens as after 10, and gives it all back', async () => {
    const before = tf.memory()
    const seen: tf.MemoryInfo[] = []
    let made = 0
    for await (const token of tokens([5, 6, 7], {maxNewTokens: 50})) {
      expect(token).toBeGreaterThanOrEqual(0)
      made += 1
      if (made === 10 || made === 50) seen.push(tf.memory())
    }
    expect(made).toBe(50)
    expect([seen[1].numTensors, seen[1].numBytes]).toEqual([seen[0].numTensors, seen[0].numBytes])
    expect(seen[0].numTensors).toBe(before.numTensors + 2 * golden.model.config.layers)
    expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([before.numTensors, before.numBytes])
  })

  test('gives the memory back when it is stopped early', async () => {
    const before = tf.memory().numTensors
    for await (const token of tokens([5, 6, 7], {})) {
      expect(tf.memory().numTensors).toBeGreaterThan(before)
      expect(token).toBeGreaterThanOrEqual(0)
      break
    }
    expect(tf.memory().numTensors).toBe(before)
  })

  test('ends with the end token, which is part of what it yields', async () => {
    const free = await allOf(tokens([5, 6, 7], {maxNewTokens: 20}))
    const eosId = free[4]
    expect(await allOf(tokens([5, 6, 7], {eosId, maxNewTokens: 20}))).toEqual(free.slice(0, free.indexOf(eosId) + 1))
  })

  test('makes at most as many tokens as asked for', async () => {
    expect(await allOf(tokens([5], {maxNewTokens: 1}))).toHaveLength(1)
    expect(await allOf(tokens([5], {maxNewTokens: 7}))).toHaveLength(7)
  })

  test('is repeated by the same seed when it samples', async () => {
    const sampling = {...GREEDY, maxNewTokens: 20, temperature: 1}
    const sample = (seed: number): Promise<number[]> =>
      allOf(decode(golden.model, sites, [5], sampling, new RandomStream(seed)))
    expect(await sample(1)).toEqual(await sample(1))
    expect(await sample(1)).not.toEqual(await sample(2))
  })
})

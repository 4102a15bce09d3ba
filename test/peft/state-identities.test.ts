/** What methods on the state are equal to: sections of arXiv 2411.03855 (affix) and 2503.03499 (offset) as identities. */
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'
import {type AnyScanInputs, type AnyScanOutputs, baseSites, type Sites} from '../../src/model/sites.js'
import {EMBEDDINGS, projections} from '../../src/model/parameters.js'
import {disposeState} from '../../src/model/read-on.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {affixState} from '../../src/peft/affix-state.js'
import {type AffixKind, type AffixTensors} from '../../src/peft/affix-tensors.js'
import {stateValues} from '../../src/peft/kept-state.js'
import {promptState} from '../../src/peft/prompt-state.js'
import {difference} from '../support/close.js'
import {bitFaultsOf} from '../support/compare.js'
import {useBackend} from '../support/device.js'
import {type GoldenModel, logitsInOnePass, openGolden, randomise} from '../support/golden-model.js'
import {stateOffset} from '../support/random-adapter.js'
import {stateAdapter} from '../support/state-adapters.js'

const LENGTH = 3

function randomVectors(layers: number, width: number): AffixTensors {
  const random = new RandomStream(1, 'affix')
  const rows = Array.from({length: layers}, () => Float32Array.from({length: LENGTH * width}, () => random.normal()))
  return {length: LENGTH, rows}
}

/** The vectors stand before every sequence, behind in_proj or before it; their outputs are dropped. */
function withVectors(base: Sites, kind: AffixKind, {rows}: AffixTensors): Sites {
  const vectorsOf = (name: string, x: tf.Tensor3D): tf.Tensor3D => {
    const values = rows[Number(name.split('.')[1])]
    return tf.tile(tf.tensor3d(values, [1, LENGTH, values.length / LENGTH]), [x.shape[0], 1, 1])
  }
  const behind = (x: tf.Tensor3D): tf.Tensor3D => tf.slice3d(x, [0, LENGTH, 0], [-1, -1, -1])
  return {
    ...base,
    linear(name, x, terms) {
      if (name.endsWith('out_proj')) return base.linear(name, behind(x), terms)
      if (!name.endsWith('in_proj')) return base.linear(name, x, terms)
      if (kind === 'prefix') return base.linear(name, tf.concat3d([vectorsOf(name, x), x], 1), terms)
      const projected = base.linear(name, x, terms)
      return tf.concat3d([vectorsOf(name, projected), projected], 1)
    },
  }
}

describe.each(['mamba1', 'falcon-mamba', 'mamba2'])('in %s', (name) => {
  let golden: GoldenModel
  let ids: Int32Array
  let before: tf.MemoryInfo

  beforeEach(async () => {
    await useBackend('wasm')
    golden = await openGolden(name)
    ids = golden.examples[0].ids
    before = tf.memory()
  })

  afterEach(() => {
    const after = tf.memory()
    expect([after.numTensors, after.numBytes]).toEqual([before.numTensors, before.numBytes])
    golden.model.weights.dispose()
  })

  const logits = (sites: Sites): Promise<Float32Array> => logitsInOnePass(golden.model, sites, ids)

  const stateOf = async (kind: AffixKind, vectors: AffixTensors): ReturnType<typeof stateValues> => {
    const state = affixState(golden.model, kind, vectors)
    const values = await stateValues(state, golden.model.config)
    disposeState(state)
    return values
  }

  const plainState = async (kind: AffixKind, vectors: AffixTensors): Promise<Record<string, Float32Array>> =>
    Object.fromEntries([...(await stateOf(kind, vectors))].map(([tensor, {values}]) => [tensor, values]))

  test.each(['affix', 'prefix'] as const)('an %s is the first state that it leaves, and nothing else', async (kind) => {
    const {model} = golden
    const {config, weights} = model
    const [[, outputs]] = projections(config)
    const vectors = randomVectors(config.layers, kind === 'affix' ? outputs : config.hidden)
    const adapter = stateAdapter(model, await stateOf(kind, vectors))
    const asState = await logits(adapter.sites(weights))
    adapter.dispose()
    const asVectors = await logits(withVectors(baseSites(weights), kind, vectors))
    expect(difference(asState, asVectors)).toBeNull()
    expect(difference(asState, await logits(baseSites(weights)), {absolute: 0.01, relative: 0.01})).not.toBeNull()
  })

  test('a prompt of embeddings leaves the state of its tokens', async () => {
    const {config, weights} = golden.model
    const prompt = [...ids.subarray(0, LENGTH)]
    const table = await weights.get(EMBEDDINGS).data<'float32'>()
    const rows = Float32Array.from(
      prompt.flatMap((id) => [...table.subarray(id * config.hidden, (id + 1) * config.hidden)]),
    )
    const read = await promptState({model: golden.model, sites: baseSites(weights)}, prompt)
    const expected = Object.fromEntries([...read].map(([tensor, {values}]) => [tensor, values]))
    expect(bitFaultsOf(await plainState('prompt', {length: LENGTH, rows: [rows]}), expected)).toEqual({})
  })

  test('an offset h of the state is what states show that nothing enters, that never decay and start as h', async () => {
    const {config, weights} = golden.model
    const adapters = AdapterSet.create([stateOffset({form: 'h'})], config, 1)
    randomise(adapters)
    const offset = (layer: number): tf.Tensor =>
      adapters.variables.get(`adapters.0.layers.${layer}.mixer.state_offset.h`) as tf.Tensor
    const expected = await logits(
      config.architecture === 'mamba2'
        ? secondScan(baseSites(weights), offset)
        : moreStates(baseSites(weights), offset),
    )
    const attached = await logits(adapters.sites(weights))
    adapters.dispose()
    expect(difference(attached, expected)).toBeNull()
    expect(difference(attached, await logits(baseSites(weights)), {absolute: 0.01, relative: 0.01})).not.toBeNull()
  })
})

/** Mamba-1: A_log′ = −60, B′ = 0, C′ = C and h′_0 = h′ beside the model's own states. */
function moreStates(base: Sites, offset: (layer: number) => tf.Tensor): Sites {
  return {
    ...base,
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ): Outputs {
      const {a, b, c} = inputs
      const start = tf.tile(tf.expandDims(offset(layer), 0), [b.shape[0], 1, 1]) // (B, E, N)
      return base.scan(
        layer,
        {
          ...inputs,
          a: tf.concat([a, tf.fill(a.shape, -Math.exp(-60))], 1),
          b: tf.concat3d([b, tf.zerosLike(b)], 2),
          c: tf.concat3d([c, c], 2),
          h0: tf.concat([tf.zerosLike(start), start], 2),
        },
        run,
      )
    },
  }
}

/** Mamba-2, where new states would share A: a second scan with Δ = 0, in which the first state stays, added to the first. */
function secondScan(base: Sites, offset: (layer: number) => tf.Tensor): Sites {
  return {
    ...base,
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ): Outputs {
      const outputs = base.scan(layer, inputs, run)
      const {a, delta} = inputs
      const h0 = tf.tile(tf.expandDims(offset(layer), 0), [delta.shape[0], 1, 1, 1]) // (B, H, P, N)
      const still = {...inputs, d: tf.zerosLike(a), delta: tf.fill(delta.shape, -1e4), h0}
      return {...outputs, y: tf.add(outputs.y, run(still).y)}
    },
  }
}

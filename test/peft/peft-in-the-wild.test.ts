/**
 * Adapters of PEFT of every kind, on a tied and on an untied model: with one of them attached the logits are those of the
 * model whose weights are changed by hand, and so are those of the merged files. A change of one use of a tied embedding is
 * the change of an untied model.
 */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {readdir} from 'node:fs/promises'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {MismatchError} from '../../src/errors.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {baseSites} from '../../src/model/sites.js'
import {Weights} from '../../src/model/weights.js'
import {attachModel} from '../../src/peft/attached-model.js'
import {mergeAdapter, type MergeReport} from '../../src/peft/merge-adapter.js'
import {type ParameterValues} from '../../src/peft/method.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {difference} from '../support/close.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {type GoldenModel, logitsInOnePass, logitsInPieces, openGolden} from '../support/golden-model.js'
import {random, updateOf, writePeft} from '../support/peft-adapter.js'
import {workDirectory} from '../support/work-directory.js'

type Tensors = readonly [string, ParameterValues][]

const EMBEDDINGS = 'backbone.embeddings.weight'
const HEAD = 'lm_head.weight'

interface Case {
  readonly name: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly tensors: Tensors
  /** s B A by hand: the tensor, the scale and which tensors of the file are B and A; in an embedding's they lie transposed. */
  readonly adds?: readonly (readonly [string, number, string])[]
  /** Tensors that take the place of the model's */
  readonly sets?: readonly string[]
  /** Acts on one use of the embedding */
  readonly unties?: boolean
}

/** Sizes of the two golden models, whose letters are the same but for N, R and K. */
const [V, D, E] = [96, 32, 64]
const mixer = (layer: number, name: string): string => `backbone.layers.${layer}.mixer.${name}`

const casesOf = (untied: boolean): Case[] => {
  const dtRank = untied ? 3 : 4
  const width = untied ? 3 : 4
  const bias = untied ? mixer(1, 'in_proj.bias') : mixer(0, 'conv1d.bias')
  const embedding: Tensors = [
    random('backbone.embeddings.lora_embedding_A', 2, V),
    random('backbone.embeddings.lora_embedding_B', D, 2),
  ]
  return [
    {
      name: 'out_proj and dt_proj, which PEFT refuses',
      tensors: [...updateOf(mixer(0, 'out_proj'), 2, D, E), ...updateOf(mixer(1, 'dt_proj'), 2, E, dtRank)],
      adds: [
        [mixer(0, 'out_proj.weight'), 2, mixer(0, 'out_proj')],
        [mixer(1, 'dt_proj.weight'), 2, mixer(1, 'dt_proj')],
      ],
    },
    {
      name: 'ranks and alphas by pattern, with rsLoRA',
      config: {
        alpha_pattern: {'layers\\.1\\..*': 3},
        rank_pattern: {'layers.0.mixer.in_proj': 4},
        use_rslora: true,
        fan_in_fan_out: true,
        target_modules: '.*in_proj',
      },
      tensors: [...updateOf(mixer(0, 'in_proj'), 4, 2 * E, D), ...updateOf(mixer(1, 'in_proj'), 2, 2 * E, D)],
      adds: [
        [mixer(0, 'in_proj.weight'), 2, mixer(0, 'in_proj')],
        [mixer(1, 'in_proj.weight'), 3 / Math.SQRT2, mixer(1, 'in_proj')],
      ],
    },
    {
      name: 'biases, a convolution and norms that were trained whole',
      config: {bias: 'all', modules_to_save: ['conv1d', 'norm', 'norm_f']},
      tensors: [
        ...updateOf(mixer(0, 'in_proj'), 2, 2 * E, D),
        random(mixer(1, 'conv1d.weight'), E, 1, width),
        random(mixer(0, 'dt_proj.bias'), E),
        random(bias.replace('in_proj.bias', 'in_proj.base_layer.bias'), untied ? 2 * E : E),
        random('backbone.layers.0.norm.weight', D),
        random('backbone.norm_f.weight', D),
      ],
      adds: [[mixer(0, 'in_proj.weight'), 2, mixer(0, 'in_proj')]],
      sets: [
        mixer(1, 'conv1d.weight'),
        mixer(0, 'dt_proj.bias'),
        bias,
        'backbone.layers.0.norm.weight',
        'backbone.norm_f.weight',
      ],
    },
    {
      name: 'a projection that was trained whole',
      config: {modules_to_save: ['x_proj']},
      tensors: [random(mixer(0, 'x_proj.weight'), dtRank + 2 * (untied ? 5 : 8), E)],
      sets: [mixer(0, 'x_proj.weight')],
    },
    {
      name: 'the embedding',
      tensors: embedding,
      adds: [[EMBEDDINGS, 2, 'backbone.embeddings']],
      unties: true,
    },
    {
      name: 'the head',
      tensors: updateOf('lm_head', 2, V, D),
      adds: [[HEAD, 2, 'lm_head']],
      unties: true,
    },
    {
      name: 'embedding and head',
      tensors: [
        ...embedding,
        ...updateOf('lm_head', 2, V, D),
        ...updateOf(mixer(1, 'x_proj'), 2, dtRank + 2 * (untied ? 5 : 8), E),
      ],
      adds: [
        [EMBEDDINGS, 2, 'backbone.embeddings'],
        [HEAD, 2, 'lm_head'],
        [mixer(1, 'x_proj.weight'), 2, mixer(1, 'x_proj')],
      ],
      unties: true,
    },
    {
      name: 'a head that was trained whole',
      config: {modules_to_save: ['lm_head']},
      tensors: [...updateOf(mixer(0, 'in_proj'), 2, 2 * E, D), random(HEAD, V, D)],
      adds: [[mixer(0, 'in_proj.weight'), 2, mixer(0, 'in_proj')]],
      sets: [HEAD],
      unties: true,
    },
    {
      name: 'an embedding that was trained whole',
      config: {modules_to_save: ['embeddings']},
      tensors: [random(EMBEDDINGS, V, D)],
      sets: [EMBEDDINGS],
      unties: true,
    },
  ]
}

/** The weights with the changes of a case, computed plainly; a tied model gets a head of its own. */
function changedWeights(
  {weights}: LanguageModel,
  {adds = [], sets = [], tensors}: Case,
  names: readonly string[],
): Weights {
  const file = new Map(tensors)
  const of = (name: string): ParameterValues => {
    const found =
      file.get(`base_model.model.${name}`) ??
      file.get(`base_model.model.${name.replace('in_proj.bias', 'in_proj.base_layer.bias')}`)
    if (!found) throw new Error(`the case has no ${name}`)
    return found
  }
  const changed = new Map(
    [...new Set([...names, HEAD])].map((name) => {
      const base = weights.get(weights.has(name) ? name : EMBEDDINGS)
      const values = sets.includes(name) ? of(name).values : base.dataSync<'float32'>().slice()
      for (const [tensor, scale, module] of adds) {
        if (tensor === name) addByHand(values, scale, module, of)
      }
      return [name, tf.tensor(values, base.shape)] as const
    }),
  )
  return new Weights(changed)
}

function addByHand(values: Float32Array, scale: number, module: string, of: (name: string) => ParameterValues): void {
  const isTable = module.endsWith('embeddings')
  const a = of(isTable ? `${module}.lora_embedding_A` : `${module}.lora_A.weight`) // (r, in), or (r, V)
  const b = of(isTable ? `${module}.lora_embedding_B` : `${module}.lora_B.weight`) // (out, r), or (d, r)
  const [rank, inputs] = a.shape
  const [outputs] = b.shape
  for (let i = 0; i < outputs; i++) {
    for (let j = 0; j < inputs; j++) {
      let sum = 0
      for (let k = 0; k < rank; k++) sum += b.values[i * rank + k] * a.values[k * inputs + j]
      values[isTable ? j * outputs + i : i * inputs + j] += scale * sum
    }
  }
}

describe.each(['mamba1', 'mamba1-untied-bias'])('on %s', (name) => {
  const inWork = workDirectory()
  const tied = name === 'mamba1'
  let golden: GoldenModel
  let ids: Int32Array

  beforeAll(async () => {
    await useBackend('wasm')
    golden = await openGolden(name)
    ids = golden.examples[0].ids
  })

  afterAll(() => {
    golden.model.weights.dispose()
    expect(tf.memory().numTensors).toBe(0)
  })

  const merge = (adapter: string, untie: boolean): Promise<MergeReport> =>
    mergeAdapter({
      adapter,
      anyBase: false,
      base: goldenPath(name),
      batches: probeBatches,
      dtype: 'f32',
      out: `${adapter}-merged`,
      partial: false,
      untie,
    })

  test.each(casesOf(!tied))('$name: attached, decoded and merged is the model changed by hand', async (own) => {
    const adapter = await writePeft(inWork(own.name), own.config ?? {}, own.tensors)
    const names = golden.reference.names.filter((tensor) => tensor.startsWith('grad.')).map((tensor) => tensor.slice(5))
    const weights = changedWeights(golden.model, own, names)
    const changed = {config: {...golden.model.config, tied: false}, weights}
    const expected = await logitsInOnePass(changed, baseSites(weights), ids)
    weights.dispose()
    const bare = await logitsInOnePass(golden.model, baseSites(golden.model.weights), ids)
    expect(difference(expected, bare, {absolute: 0.01, relative: 0.01})).not.toBeNull()

    const attached = await attachModel({adapter, model: goldenPath(name)})
    expect(difference(await logitsInOnePass(attached.model, attached.sites, ids), expected)).toBeNull()
    const single = [...ids].map(() => 1)
    expect(difference(await logitsInPieces(attached.model, attached.sites, ids, single), expected)).toBeNull()
    attached.dispose()

    const untie = tied && own.unties === true
    if (untie) {
      await expect(merge(adapter, false)).rejects.toThrow(/tied/)
      expect(await readdir(inWork())).not.toContain(`${own.name}-merged`)
    } else if (!tied) await expect(merge(adapter, true)).rejects.toThrow(MismatchError)
    expect((await merge(adapter, untie)).passed).toBe(true)
    const files = await openModelDirectory(`${adapter}-merged`)
    expect([files.tensors.has(HEAD), files.config.tie_word_embeddings]).toEqual([!tied || untie, tied && !untie])
    const merged = await attachModel({model: `${adapter}-merged`})
    expect(difference(await logitsInOnePass(merged.model, merged.sites, ids), expected)).toBeNull()
    merged.dispose()
  })

  test('a base layer that PEFT repeats must be the model, and is no part of the adapter', async () => {
    const table = golden.model.weights.get(EMBEDDINGS).dataSync<'float32'>().slice()
    const head = tied ? table : golden.model.weights.get(HEAD).dataSync<'float32'>().slice()
    const tensors = (values: Float32Array, rows = V): Tensors => [
      ...updateOf('lm_head', 2, V, D),
      ['base_model.model.lm_head.base_layer.weight', {shape: [rows, D], values}],
      ['base_model.model.backbone.embeddings.weight', {shape: [V, D], values: table}],
    ]
    const adapter = await writePeft(inWork('same'), {}, tensors(head))
    const attached = await attachModel({adapter, model: goldenPath(name)})
    expect(attached.adapters.size).toBe(2 * (V + D))
    attached.dispose()
    const other = head.slice()
    other[5] += 1
    const changed = await writePeft(inWork('other'), {}, tensors(other))
    await expect(attachModel({adapter: changed, model: goldenPath(name)})).rejects.toThrow(MismatchError)
    const longer = await writePeft(inWork('longer'), {}, tensors(new Float32Array((V + 2) * D), V + 2))
    await expect(attachModel({adapter: longer, model: goldenPath(name)})).rejects.toMatchObject({
      faults: [{message: `is ${V + 2} × ${D} in the adapter and ${V} × ${D} here`, where: HEAD}],
    })
  })

  test.each<[string, Readonly<Record<string, unknown>>, Tensors]>([
    ['of wrong rows', {}, updateOf(mixer(0, 'in_proj'), 2, 2 * E + 1, D)],
    ['of a layer that is not there', {}, updateOf(mixer(7, 'in_proj'), 2, 2 * E, D)],
    ['of one matrix', {}, updateOf(mixer(0, 'in_proj'), 2, 2 * E, D).slice(1)],
    ['without an end', {}, [random(mixer(0, 'in_proj.lora_A.weight'), 2)]],
    ['whole, of a module that is not there', {modules_to_save: ['score']}, [random('score.weight', 2, D)]],
    ['whole, of another shape', {modules_to_save: ['norm_f']}, [random('backbone.norm_f.weight', D + 1)]],
  ])('refuses tensors %s', async (kind, config, tensors) => {
    const adapter = await writePeft(inWork(`hostile ${kind}`), config, tensors)
    await expect(attachModel({adapter, model: goldenPath(name)})).rejects.toMatchObject({faults: expect.anything()})
  })
})

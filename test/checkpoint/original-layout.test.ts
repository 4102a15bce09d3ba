/** Configs of Mamba's authors in Hugging Face's words and back, and models written in either layout, tensor by tensor. */
import {describe, expect, test} from '@jest/globals'
import {cp, mkdir, readFile} from 'node:fs/promises'
import path from 'node:path'

import {fingerprintTensors, openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {writeModel} from '../../src/checkpoint/model-write.js'
import {translateConfig} from '../../src/checkpoint/original-layout.js'
import {readTensorBytes} from '../../src/checkpoint/safetensors.js'
import {toOriginalConfig} from '../../src/checkpoint/to-original-layout.js'
import {readWeightHeader} from '../../src/checkpoint/weight-files.js'
import {exportModel} from '../../src/model/export-model.js'
import {mergeAdapter} from '../../src/peft/merge-adapter.js'
import {probeBatches} from '../../src/peft/probe-batches.js'
import {useBackend} from '../support/device.js'
import {goldenPath} from '../support/golden.js'
import {lora, writeRandomAdapter} from '../support/random-adapter.js'
import {inScratch, namesIn, put, refusalOf} from './scratch.js'
import {torchFile} from './torch-file.js'

const ORIGINAL = goldenPath('original-mamba1')

/** As state-spaces/mamba-130m has it */
const FIRST = {
  d_model: 768,
  n_layer: 24,
  vocab_size: 50_277,
  ssm_cfg: {},
  rms_norm: true,
  residual_in_fp32: true,
  fused_add_norm: true,
  pad_vocab_size_multiple: 8,
}

/** As state-spaces/mamba2-130m has it */
const SECOND = {
  ...FIRST,
  d_intermediate: 0,
  ssm_cfg: {layer: 'Mamba2'},
  attn_layer_idx: [],
  attn_cfg: {},
  pad_vocab_size_multiple: 16,
  tie_embeddings: true,
}

const translated = (config: object): ReturnType<typeof translateConfig> =>
  translateConfig(config as Record<string, unknown>, 'config.json')

describe('a config in the original layout', () => {
  test('of Mamba-1 becomes the one of transformers', () => {
    const {config, faults, layout} = translated(FIRST)
    expect([layout, faults]).toEqual(['original', []])
    expect(config).toMatchObject({
      model_type: 'mamba',
      conv_kernel: 4,
      expand: 2,
      hidden_size: 768,
      intermediate_size: 1536,
      num_hidden_layers: 24,
      state_size: 16,
      tie_word_embeddings: true,
      time_step_rank: 48,
      use_bias: false,
      use_conv_bias: true,
      vocab_size: 50_280,
    })
  })

  test('of Mamba-2 becomes the one of transformers', () => {
    const ssm = {layer: 'Mamba2', d_state: 64, headdim: 32, ngroups: 8, chunk_size: 128, dt_limit: [0, 0.5]}
    const {config, faults} = translated({...SECOND, ssm_cfg: ssm})
    expect(faults).toEqual([])
    expect(config).toMatchObject({
      model_type: 'mamba2',
      chunk_size: 128,
      head_dim: 32,
      n_groups: 8,
      num_heads: 48,
      rms_norm: true,
      state_size: 64,
      time_step_limit: [0, 0.5],
      vocab_size: 50_288,
    })
    expect(translated(SECOND).config).toMatchObject({head_dim: 64, n_groups: 1, num_heads: 24, state_size: 128})
    expect(translated(SECOND).config).not.toHaveProperty('time_step_limit')
  })

  test.each([
    ['Mamba-1', {...FIRST, tie_embeddings: false, ssm_cfg: {d_state: 8, d_conv: 3, dt_rank: 7, bias: true}}],
    ['Mamba-2', {...SECOND, ssm_cfg: {layer: 'Mamba2', d_state: 64, headdim: 32, ngroups: 2, dt_limit: [0.01, 0.5]}}],
  ])('of %s is the same after the way there and back', (_, config) => {
    const there = translated(config).config
    const back = toOriginalConfig(there, 'config.json')
    expect(back.faults).toEqual([])
    expect(back.config).toMatchObject({ssm_cfg: config.ssm_cfg})
    expect(translated(back.config).config).toEqual(there)
  })

  test.each([
    [[0, {__float__: 'Infinity'}], undefined],
    [undefined, undefined],
    [
      [0.01, {__float__: 'Infinity'}],
      [0.01, Infinity],
    ],
    [
      [0, 2],
      [0, 2],
    ],
  ])('of Mamba-2 has the limits %j of transformers as %j', (limits, expected) => {
    const {config} = translated(SECOND)
    const back = toOriginalConfig({...config, ...(limits && {time_step_limit: limits})}, 'config.json')
    expect(back.faults).toEqual([])
    expect(back.config.ssm_cfg).toEqual({layer: 'Mamba2', ...(expected && {dt_limit: expected})})
    const wrong = toOriginalConfig({...config, time_step_limit: [0, 'much']}, 'config.json')
    expect(wrong.faults[0].message).toContain('time_step_limit is [0,"much"], expected two numbers')
  })

  test('is refused for what is not computed here, all of it at once', () => {
    const config = {
      ...FIRST,
      attn_layer_idx: [3],
      d_intermediate: 64,
      n_layer: 0,
      rms_norm: false,
      ssm_cfg: {layer: 'Mamba2', D_has_hdim: true, headdim: 100, surprise: 1},
    }
    expect(
      translated(config)
        .faults.map(({message}) => message.split(' is ')[0])
        .sort(),
    ).toEqual([
      'attn_layer_idx',
      'd_intermediate',
      'n_layer',
      'rms_norm',
      'ssm_cfg.D_has_hdim',
      'ssm_cfg.headdim',
      'ssm_cfg.surprise',
    ])
    expect(translated({...FIRST, ssm_cfg: {layer: 'Mamba3'}}).faults[0].message).toContain('"Mamba1" or "Mamba2"')
  })

  test('cannot be written of other models', () => {
    const faultsOf = (config: object): readonly string[] =>
      toOriginalConfig(config as Record<string, unknown>, 'c').faults.map(({message}) => message)
    const falcon = faultsOf({model_type: 'falcon_mamba'})
    expect(falcon).toEqual(['model_type is "falcon_mamba"; the original layout is of mamba and mamba2 only'])
    const {config} = translated(FIRST)
    const other = faultsOf({...config, intermediate_size: 99, layer_norm_epsilon: 1e-6})
    expect(other).toEqual([expect.stringContaining('1e-5 always'), expect.stringContaining('99 channels')])
  })
})

/** dtype, shape and bytes of every tensor under the names that stand in the file */
async function stored(file: string): Promise<Record<string, readonly unknown[]>> {
  const {entries} = await readWeightHeader(file)
  const all = [...entries].map(async ([name, entry]) => {
    const bytes = Buffer.from(await readTensorBytes(entry)).toString('base64')
    return [name, [entry.dtype, entry.shape, bytes]] as const
  })
  return Object.fromEntries(await Promise.all(all))
}

describe('a model written in a layout', () => {
  test('from the original one and back holds the same tensors byte for byte', async () => {
    await inScratch(async (scratch) => {
      const [hf, back, again] = ['hf', 'back', 'again'].map((name) => path.join(scratch, name))
      const report = await exportModel({layout: 'hf', model: ORIGINAL, out: hf})
      expect(report).toMatchObject({files: expect.arrayContaining(['config.json', 'model.safetensors']), layout: 'hf'})
      await exportModel({layout: 'original', model: hf, out: back})
      await exportModel({layout: 'original', model: ORIGINAL, out: again})
      const before = await stored(path.join(ORIGINAL, 'pytorch_model.bin'))
      expect(await stored(path.join(back, 'model.safetensors'))).toEqual(before)
      expect(await stored(path.join(again, 'model.safetensors'))).toEqual(before)
      const names = Object.keys(await stored(path.join(hf, 'model.safetensors')))
      expect(names).toContain('backbone.embeddings.weight')
      expect(names).not.toContain('lm_head.weight') // the embedding
      expect(JSON.parse(await readFile(path.join(hf, 'config.json'), 'utf8'))).toMatchObject({model_type: 'mamba'})
      expect(await readFile(path.join(again, 'config.json'), 'utf8')).toBe(
        await readFile(path.join(ORIGINAL, 'config.json'), 'utf8'),
      )
      const prints = [ORIGINAL, hf, back].map(async (model) =>
        fingerprintTensors((await openModelDirectory(model)).tensors),
      )
      expect(new Set(await Promise.all(prints)).size).toBe(1)
    })
  })

  test.each(['mamba1', 'mamba1-untied-bias', 'mamba2', 'mamba2-limit'])(
    'from that of Hugging Face and back: %s',
    async (name) => {
      await inScratch(async (scratch) => {
        const [original, hf] = ['original', 'hf'].map((part) => path.join(scratch, part))
        await exportModel({layout: 'original', model: goldenPath(name), out: original})
        const {layout} = await openModelDirectory(original)
        expect(layout).toBe('original')
        await exportModel({layout: 'hf', model: original, out: hf})
        expect(await stored(path.join(hf, 'model.safetensors'))).toEqual(
          await stored(goldenPath(name, 'model.safetensors')),
        )
      })
    },
  )

  test('that cannot hold it is refused, and nothing is written', async () => {
    await inScratch(async (scratch) => {
      const out = path.join(scratch, 'out')
      const refused = exportModel({layout: 'original', model: goldenPath('falcon-mamba'), out})
      expect((await refusalOf(refused)).text).toContain('model_type is "falcon_mamba"')
      expect(await namesIn(scratch)).toEqual([])
    })
  })

  test('is what a merge into an original checkpoint makes: that of Hugging Face', async () => {
    await useBackend('wasm')
    await inScratch(async (scratch) => {
      const [adapter, out] = [path.join(scratch, 'adapter'), path.join(scratch, 'merged')]
      await writeRandomAdapter(adapter, {model: ORIGINAL, settings: [lora({targets: ['in_proj']})]})
      const batches = (vocabulary: number): ReturnType<typeof probeBatches> => probeBatches(vocabulary)
      const report = await mergeAdapter({
        adapter,
        anyBase: false,
        base: ORIGINAL,
        batches,
        dtype: 'same',
        out,
        partial: false,
      })
      expect(report).toMatchObject({changed_tensors: 2, passed: true})
      expect((await openModelDirectory(out)).layout).toBe('hf')
      expect(await namesIn(out)).toContain('model.safetensors')
    })
  })
})

test('limits of the time step are written as floats, which transformers insists on', async () => {
  await inScratch(async (scratch) => {
    const [model, out] = ['model', 'out'].map((name) => path.join(scratch, name))
    await mkdir(model)
    await mkdir(out)
    const ssm = {layer: 'Mamba2', dt_limit: [0, 2]}
    await put(model, 'config.json', JSON.stringify({...SECOND, ssm_cfg: ssm}))
    await put(model, 'pytorch_model.bin', torchFile())
    const files = await openModelDirectory(model)
    await writeModel({bytesOf: readTensorBytes, dtypeOf: ({dtype}) => dtype, files, into: out, layout: 'hf'})
    expect(await readFile(path.join(out, 'config.json'), 'utf8')).toContain('"time_step_limit": [0.0, 2.0]')
    expect(await namesIn(out)).toEqual(['config.json', 'model.safetensors'])
  })
})

describe('weights of PyTorch in shards', () => {
  test('are read through their index, which may name .bin files only', async () => {
    await inScratch(async (model) => {
      await cp(path.join(ORIGINAL, 'config.json'), path.join(model, 'config.json'))
      await put(model, 'pytorch_model-1-of-1.bin', torchFile())
      const index = (shard: string): Promise<string> =>
        put(model, 'pytorch_model.bin.index.json', JSON.stringify({weight_map: {weight: shard}}))
      await index('pytorch_model-1-of-1.bin')
      const {indexFile, tensors, weightFiles} = await openModelDirectory(model)
      expect([...tensors.keys()]).toEqual(['weight'])
      expect([path.basename(String(indexFile)), weightFiles.map((file) => path.basename(file))]).toEqual([
        'pytorch_model.bin.index.json',
        ['pytorch_model-1-of-1.bin'],
      ])
      for (const shard of ['../pytorch_model-1-of-1.bin', 'x.safetensors', '.bin']) {
        await index(shard)
        expect((await refusalOf(openModelDirectory(model))).text).toContain('must be the plain name of a .bin file')
      }
    })
  })
})

import {describe, expect, test} from '@jest/globals'
import {cp, readdir, readFile, writeFile} from 'node:fs/promises'
import {readPlainBpe} from '../../src/data/plain-bpe.js'
import {exportGguf, type ExportGgufOptions} from '../../src/model/export-gguf.js'
import {exportGgufLora} from '../../src/peft/export-gguf-lora.js'
import {exportMergedGguf} from '../../src/peft/export-merged-gguf.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {ggufParts} from '../support/gguf-parts.js'
import {goldenPath} from '../support/golden.js'
import {configIn, lora, moreStates, STATE, weightUpdates, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
const TINY = 'models/tiny-mamba'
const options = (out: string): ExportGgufOptions => ({dtype: 'q8_0', model: TINY, name: 'tiny', out, tokenizer: TINY})

describe('a model as GGUF', () => {
  test('names, shapes and formats are those that llama.cpp asks for', async () => {
    const out = inWork('tiny')
    const report = await exportGguf(options(out))
    const {metadata, tensors} = await ggufParts(`${out}/model.gguf`)
    expect(report).toMatchObject({differences: [], files: ['model.gguf'], tensors: Object.keys(tensors).length})
    expect(metadata).toMatchObject({
      'general.architecture': 'mamba',
      'mamba.block_count': 8,
      'mamba.ssm.dt_b_c_rms': false,
      'tokenizer.ggml.add_bos_token': false,
      'tokenizer.ggml.eos_token_id': 0,
      'tokenizer.ggml.pre': 'gpt-2',
    })
    expect(metadata['tokenizer.ggml.tokens']).toHaveLength(2048)
    expect(tensors['blk.7.ssm_in.weight']).toMatchObject({shape: [1024, 256], type: 8})
    expect(tensors['blk.7.ssm_dt.weight']).toMatchObject({shape: [512, 16], type: 1})
    expect(tensors['blk.7.ssm_conv1d.weight']).toMatchObject({shape: [512, 4], type: 0})
    expect(tensors['blk.7.ssm_a'].values.every((value) => value < 0)).toBe(true)
    expect(Object.keys(tensors)).not.toContain('output.weight')
  })

  test('Falcon-Mamba is said to have norms on dt, B and C, with another ε', async () => {
    const model = goldenPath('falcon-mamba')
    const tokenizer = await tokenizerOf(12)
    const {differences} = await exportGguf({...options(inWork('falcon')), dtype: 'f32', model, tokenizer})
    const {metadata} = await ggufParts(inWork('falcon', 'model.gguf'))
    expect(metadata).toMatchObject({'general.architecture': 'mamba', 'mamba.ssm.dt_b_c_rms': true})
    expect(differences).toEqual([expect.stringContaining('one ε for all norms')])
  })

  test.each([
    ['mamba1-untied-bias', /use_bias/],
    ['mamba2', /n_groups/],
    ['mamba2-limit', /time_step_limit/],
  ])('%s is refused, because llama.cpp would compute something else', async (name, message) => {
    const refused = exportGguf({...options(inWork(name)), model: goldenPath(name)})
    await expect(refused).rejects.toMatchObject({
      exit: 8,
      faults: expect.arrayContaining([expect.objectContaining({message: expect.stringMatching(message)})]),
    })
    expect(await readdir(inWork())).not.toContain(name)
  })

  test('a merged adapter changes the tensors, and may make them larger', async () => {
    const model = goldenPath('mamba1')
    const settings = [lora({targets: ['x_proj']}), moreStates({states: 2}), STATE]
    const adapter = await writeRandomAdapter(inWork('grown'), {model, settings})
    const own = {...options(inWork('merged')), adapter, anyBase: false, baseName: model, dtype: 'f32', model} as const
    const tokenizer = await tokenizerOf(12)
    await expect(exportMergedGguf({...own, partial: false, tokenizer})).rejects.toMatchObject({exit: 8})
    const {left_out: leftOut} = await exportMergedGguf({...own, partial: true, tokenizer})
    expect(leftOut).toMatchObject([{part: 'adapters.2 (initial-state)'}])
    const {metadata, tensors} = await ggufParts(inWork('merged', 'model.gguf'))
    const {inner, states} = await configIn(model)
    expect(metadata['mamba.ssm.state_size']).toBe(states + 2)
    expect(tensors['blk.0.ssm_a'].shape).toEqual([inner, states + 2])
  })
})

/** The tokenizer of tiny-mamba with its first tokens only. */
async function tokenizerOf(count: number): Promise<string> {
  return changedTokenizer(`first-${count}`, (tokenizer) => {
    const {vocab} = tokenizer.model
    for (const [token, id] of Object.entries(vocab)) if (id >= count) delete vocab[token]
    tokenizer.model.merges = []
  })
}

interface TokenizerJson {
  added_tokens: unknown[]
  model: {type: string; merges: unknown; vocab: Record<string, number>}
  post_processor: unknown
  pre_tokenizer: unknown
}

async function changedTokenizer(name: string, change: (tokenizer: TokenizerJson) => void): Promise<string> {
  const tokenizer = JSON.parse(await readFile(`${TINY}/tokenizer.json`, 'utf8')) as TokenizerJson
  change(tokenizer)
  await cp(`${TINY}/tokenizer_config.json`, inWork(name, 'tokenizer_config.json'))
  await writeFile(inWork(name, 'tokenizer.json'), JSON.stringify(tokenizer))
  return inWork(name)
}

describe('the tokenizer', () => {
  test('is filled up to the rows of the embedding; a BOS of its template is added', async () => {
    const directory = await changedTokenizer('bos', (tokenizer) => {
      const sequence = {Sequence: {id: 'A', type_id: 0}}
      const single = [{SpecialToken: {id: '<|padding|>', type_id: 0}}, sequence]
      tokenizer.post_processor = {single, type: 'TemplateProcessing'}
    })
    const {addBos, roles, tokens} = await readPlainBpe(directory, 2050)
    expect({addBos, bos: roles.bos}).toEqual({addBos: true, bos: 1})
    expect([tokens[0], tokens[2], tokens[2049]]).toEqual([
      {kind: 'special', text: '<|endoftext|>'},
      {kind: 'normal', text: '!'},
      {kind: 'unused', text: '[unused2049]'},
    ])
  })

  test('of another kind is refused with all that is wrong', async () => {
    const directory = await changedTokenizer('other', (tokenizer) => {
      tokenizer.model.type = 'Unigram'
      tokenizer.model.merges = ['a b c']
      tokenizer.pre_tokenizer = {type: 'Whitespace'}
    })
    const where = ['model.type', 'pre_tokenizer', '"', 'model.merges']
    await expect(readPlainBpe(directory, 2047)).rejects.toMatchObject({
      exit: 4,
      faults: where.map((start) => ({where: expect.stringContaining(start)})),
    })
  })
})

describe('gguf-lora', () => {
  const base = {directory: TINY, name: TINY}

  test('adds the same to every weight, several entries and slices stacked', async () => {
    const settings = [
      lora({rank: 5, rslora: true, targets: ['in_proj.x', 'x_proj.B']}),
      lora({alpha: 1.7, targets: ['in_proj', 'x_proj', 'dt_proj', 'out_proj']}),
    ]
    const adapter = await writeRandomAdapter(inWork('several'), {model: TINY, settings})
    const out = inWork('several-gguf')
    await exportGgufLora({adapter, anyBase: false, base, dtype: 'f32', out, partial: false})
    const {metadata, tensors} = await ggufParts(`${out}/adapter.gguf`)
    expect(metadata).toMatchObject({'adapter.type': 'lora', 'general.type': 'adapter'})
    const alpha = Number(metadata['adapter.lora.alpha'])
    const wanted = weightUpdates(await readAdapter(adapter), await configIn(TINY))
    const names = {dt_proj: 'ssm_dt', in_proj: 'ssm_in', out_proj: 'ssm_out', x_proj: 'ssm_x'}
    for (const [projection, name] of Object.entries(names)) {
      const {
        shape: [rank, inputs],
        values: a,
      } = tensors[`blk.3.${name}.weight.lora_a`]
      const {values: b} = tensors[`blk.3.${name}.weight.lora_b`]
      const update = wanted.get(`layers.3.mixer.${projection}`) ?? new Float64Array()
      const largest = update.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      let difference = 0
      for (const [index, value] of update.entries()) {
        let sum = 0
        for (let k = 0; k < rank; k++) {
          sum += b[Math.trunc(index / inputs) * rank + k] * a[k * inputs + (index % inputs)]
        }
        difference = Math.max(difference, Math.abs((alpha / rank) * sum - value))
      }
      expect([name, difference / largest < 1e-6]).toEqual([name, true])
    }
  })

  test('a single rsLoRA keeps its numbers; what has no place is listed, and left out with --partial', async () => {
    const settings = [lora({rslora: true, targets: ['in_proj', 'conv1d']}), STATE]
    const adapter = await writeRandomAdapter(inWork('partial'), {model: TINY, settings})
    const own = {adapter, anyBase: false, base, dtype: 'f32', out: inWork('partial-gguf')} as const
    await expect(exportGgufLora({...own, partial: false})).rejects.toMatchObject({
      exit: 8,
      faults: [{where: 'adapters.0 (lora): conv1d'}, {where: 'adapters.1 (initial-state)'}],
      hint: expect.stringContaining('--partial'),
    })
    expect(await exportGgufLora({...own, partial: true})).toMatchObject({left_out: [{}, {}], tensors: 16})
    const {metadata, tensors} = await ggufParts(inWork('partial-gguf', 'adapter.gguf'))
    const {values} = await readAdapter(adapter)
    expect(metadata['adapter.lora.alpha']).toBeCloseTo(6 * Math.sqrt(3), 6)
    const up = values.get('adapters.0.layers.0.mixer.in_proj.lora_B')?.values
    expect(tensors['blk.0.ssm_in.weight.lora_b'].values).toEqual(up)
  })

  test('DoRA has no place: its rows would be of another length', async () => {
    const settings = [lora({dora: true, targets: ['in_proj']}), lora({targets: ['x_proj']})]
    const adapter = await writeRandomAdapter(inWork('dora'), {model: TINY, settings})
    const own = {adapter, anyBase: false, base, dtype: 'f32', out: inWork('dora-gguf')} as const
    const faults = [{message: expect.stringContaining('DoRA'), where: 'adapters.0 (lora): in_proj'}]
    await expect(exportGgufLora({...own, partial: false})).rejects.toMatchObject({exit: 8, faults})
    await exportGgufLora({...own, partial: true})
    const {tensors} = await ggufParts(inWork('dora-gguf', 'adapter.gguf'))
    expect(Object.keys(tensors).every((name) => name.includes('ssm_x'))).toBe(true)
  })

  test('another base is refused', async () => {
    const adapter = await writeRandomAdapter(inWork('other-base'), {
      model: TINY,
      settings: [lora({targets: ['in_proj']})],
    })
    const mamba2 = {directory: 'models/tiny-mamba2', name: 'models/tiny-mamba2'}
    const own = {adapter, base: mamba2, dtype: 'f32', out: inWork('no'), partial: false} as const
    await expect(exportGgufLora({...own, anyBase: false})).rejects.toMatchObject({exit: 8})
    await expect(exportGgufLora({...own, anyBase: true})).rejects.toMatchObject({
      message: expect.stringContaining('fit'),
    })
  })
})

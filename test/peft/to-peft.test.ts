import {describe, expect, test} from '@jest/globals'
import {readdir, readFile} from 'node:fs/promises'
import {readPeftFiles} from '../../src/checkpoint/adapter-directory.js'
import {readSafetensorsHeader} from '../../src/checkpoint/safetensors.js'
import {exportAdapter, type ExportOptions, type ExportReport} from '../../src/peft/export-adapter.js'
import {type AdapterSettings} from '../../src/peft/method-settings.js'
import {type ParameterValues} from '../../src/peft/method.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {mamba1Of} from '../support/architectures.js'
import {goldenPath} from '../support/golden.js'
import {type AdapterParts, configIn, lora, STATE, weightUpdates, writeRandomAdapter} from '../support/random-adapter.js'
import {workDirectory} from '../support/work-directory.js'

const BASE = goldenPath('mamba1')
const directory = workDirectory()
let count = 0

interface Exported {
  readonly adapter: string
  readonly out: string
  readonly report: ExportReport
}

/** Writes an adapter of ours and exports it. */
async function exported(parts: AdapterParts, options: Partial<ExportOptions> = {}): Promise<Exported> {
  const name = `${++count}`
  const adapter = await writeRandomAdapter(directory(name), parts)
  const out = directory(`${name}-peft`)
  return {adapter, out, report: await exportAdapter({adapter, format: 'peft', out, ...options})}
}

const CASES: readonly (readonly [string, readonly AdapterSettings[]])[] = [
  ['LoRA on whole modules', [lora({targets: ['in_proj', 'x_proj']})]],
  ['rsLoRA', [lora({rank: 5, rslora: true, targets: ['x_proj']})]],
  ['LoRA on slices', [lora({targets: ['in_proj.x', 'x_proj.B', 'x_proj.C']})]],
  ['a slice and the module around it', [lora({targets: ['x_proj', 'x_proj.dt']})]],
  [
    'several adapters on overlapping sites',
    [
      lora({targets: ['in_proj']}),
      lora({alpha: 1.7, dropout: 0.1, rank: 4, rslora: true, targets: ['in_proj.z', 'x_proj.*']}),
      lora({rank: 2, targets: ['x_proj']}),
    ],
  ],
  ['LoRA on the head', [lora({targets: ['lm_head', 'in_proj']})]],
  ['LoRA on the embedding as input', [lora({targets: ['embeddings.input']}), lora({rank: 5, targets: ['lm_head']})]],
  ['LoRA in one layer', [lora({targets: ['layers.1.mixer.in_proj']}), lora({targets: ['layers.0.mixer.x_proj.C']})]],
]

describe('an adapter exported for PEFT', () => {
  test.each(CASES)('adds the same to every weight: %s', async (_, settings) => {
    const {adapter, out} = await exported({settings})
    const config = await configIn(BASE)
    const before = weightUpdates(await readAdapter(adapter), config)
    const after = weightUpdates(await readAdapter(out), config)
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort())
    for (const [module, update] of before) {
      const found = after.get(module) ?? []
      const largest = Math.max(...update.map(Math.abs))
      const difference = Math.max(...update.map((value, index) => Math.abs(value - found[index])))
      expect(largest).toBeGreaterThan(0.01)
      expect([module, difference / largest < 1e-6]).toEqual([module, true])
    }
  })

  test('keeps rank, alpha, scaling, dropout and every number of one LoRA on whole modules', async () => {
    const settings = [lora({alpha: 7, dropout: 0.25, rank: 5, rslora: true, targets: ['x_proj', 'in_proj']})]
    const {adapter, out} = await exported({settings})
    const {config, tensors} = await readPeftFiles(out)
    expect(config).toMatchObject({lora_alpha: 7, lora_dropout: 0.25, r: 5, use_rslora: true})
    const ours = [...(await readAdapter(adapter)).values].map(([name, tensor]) => [
      `base_model.model.backbone.${name.replace('adapters.0.', '')}.weight`,
      tensor,
    ])
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(ours))
  })

  test.each([
    ['mamba1', ['in_proj', 'x_proj']],
    ['mamba2', ['in_proj']],
  ])(
    'keeps the files that PEFT saved for %s, apart from keys that only some of its versions know',
    async (name, modules) => {
      const out = directory(`golden-${name}`)
      await exportAdapter({adapter: goldenPath(name, 'rslora'), format: 'peft', out})
      const [theirs, ours] = [await readPeftFiles(goldenPath(name, 'rslora')), await readPeftFiles(out)]
      expect(Object.fromEntries(ours.tensors)).toEqual(Object.fromEntries(theirs.tensors))
      const common = Object.fromEntries(Object.keys(ours.config).map((key) => [key, theirs.config[key]]))
      expect(ours.config).toEqual({...common, target_modules: modules})
    },
  )

  test('puts the rows of a slice of Mamba-2 where they belong', async () => {
    const adapter = await writeRandomAdapter(directory('mamba2-slice'), {
      model: goldenPath('mamba2'),
      settings: [lora({rank: 2, targets: ['in_proj.dt']})],
    })
    const out = directory('mamba2-slice-peft')
    await exportAdapter({adapter, format: 'peft', out})
    const up = (await readPeftFiles(out)).tensors.get('base_model.model.backbone.layers.0.mixer.in_proj.lora_B.weight')
    // E 64, G 2, N 16, H 4
    expect(up?.shape).toEqual([2 * 64 + 2 * 32 + 4, 2])
    const filled = Array.from(up?.values ?? [], (value) => value !== 0)
    expect(filled).toEqual(filled.map((_, index) => index >= 2 * 192))
  })

  test('gives every module one rank, and zeros where an update is smaller or on other rows', async () => {
    const settings = [lora({rank: 2, targets: ['x_proj.B']}), lora({rank: 3, targets: ['x_proj.C', 'in_proj.z']})]
    const {out} = await exported({settings})
    const {config, tensors} = await readPeftFiles(out)
    expect(config).toMatchObject({lora_alpha: 5, r: 5, target_modules: ['in_proj', 'x_proj'], use_rslora: false})
    const {hidden: d, inner: e, states: n, timeStepRank: r} = mamba1Of(await configIn(BASE))
    const tensor = (name: string): {shape: readonly number[]; values: Float32Array} => {
      const found = tensors.get(`base_model.model.backbone.layers.1.mixer.${name}.weight`)
      if (!found) throw new Error(`no ${name}`)
      return found
    }
    expect(tensor('in_proj.lora_A').shape).toEqual([5, d])
    expect(tensor('in_proj.lora_B').shape).toEqual([2 * e, 5])
    expect(tensor('x_proj.lora_A').shape).toEqual([5, e])
    const {shape, values} = tensor('x_proj.lora_B')
    expect(shape).toEqual([r + 2 * n, 5])
    const filled = Array.from({length: r + 2 * n}, (_, row) =>
      [...values.subarray(5 * row, 5 * row + 5)].map((value) => (value === 0 ? '0' : 'B')).join(''),
    )
    const rows = (many: number, pattern: string): string[] => Array.from({length: many}, () => pattern)
    expect(filled).toEqual([...rows(r, '00000'), ...rows(n, 'BB000'), ...rows(n, '00BBB')])
    expect([...tensor('in_proj.lora_A').values.subarray(3 * d)].every((value) => value === 0)).toBe(true)
    expect([...tensor('in_proj.lora_A').values.subarray(0, 3 * d)].every((value) => value !== 0)).toBe(true)
  })

  test('keeps a dropout that all updates share, and none otherwise', async () => {
    const dropouts = async (...all: number[]): Promise<unknown> => {
      const settings = all.map((dropout, index) => lora({dropout, targets: [['in_proj.x', 'x_proj.B'][index]]}))
      return (await readPeftFiles((await exported({settings})).out)).config.lora_dropout
    }
    expect(await dropouts(0.3, 0.3)).toBe(0.3)
    expect(await dropouts(0.3, 0.1)).toBe(0)
  })

  test('names modules one by one where not all layers have them', async () => {
    const {out} = await exported({settings: [lora({targets: ['layers.1.mixer.in_proj', 'x_proj']})]})
    const {config} = await readPeftFiles(out)
    expect(config.target_modules).toEqual(['layers.1.mixer.in_proj', 'x_proj'])
  })

  test('has the keys that all versions of PEFT know, sorted, and the metadata of a PyTorch file', async () => {
    const {out, report} = await exported({settings: [lora({targets: ['in_proj']})]})
    const text = await readFile(`${out}/adapter_config.json`, 'utf8')
    const keys = [...text.matchAll(/^ {2}"(\w+)"/gm)].map(([, key]) => key)
    expect(keys.join(' ')).toBe(
      'alpha_pattern auto_mapping base_model_name_or_path bias fan_in_fan_out inference_mode init_lora_weights ' +
        'layers_pattern layers_to_transform loftq_config lora_alpha lora_dropout megatron_config megatron_core ' +
        'modules_to_save peft_type r rank_pattern revision target_modules task_type use_dora use_rslora',
    )
    expect(JSON.parse(text)).toMatchObject({base_model_name_or_path: BASE, peft_type: 'LORA', task_type: 'CAUSAL_LM'})
    expect((await readSafetensorsHeader(`${out}/adapter_model.safetensors`)).metadata).toEqual({format: 'pt'})
    expect((await readdir(out)).sort()).toEqual([...report.files].sort())
    expect(report).toEqual({
      files: ['adapter_config.json', 'adapter_model.safetensors'],
      format: 'peft',
      left_out: [],
      out,
      tensors: 4,
    })
  })
})

describe('an adapter that PEFT cannot hold', () => {
  const mixed = [lora({targets: ['in_proj', 'out_proj', 'dt_proj', 'conv1d']}), STATE]

  test('is refused with every part that it cannot hold, and nothing is written', async () => {
    const refused = exported({settings: mixed})
    await expect(refused).rejects.toMatchObject({
      code: 'E_MISMATCH',
      exit: 8,
      faults: [
        {message: expect.stringContaining('PEFT refuses'), where: 'adapters.0 (lora): conv1d'},
        {message: expect.stringContaining('never acts'), where: 'adapters.0 (lora): dt_proj'},
        {message: expect.stringContaining('PEFT refuses'), where: 'adapters.0 (lora): out_proj'},
        {message: expect.stringContaining('first state'), where: 'adapters.1 (initial-state): scan, conv'},
      ],
      hint: expect.stringContaining('--partial'),
    })
    expect(await readdir(directory())).not.toContain(`${count}-peft`)
  })

  test('is written without these parts if that is asked for, and they are listed', async () => {
    const {out, report} = await exported({settings: mixed}, {partial: true})
    expect(report.left_out.map(({part}) => part)).toEqual([
      'adapters.0 (lora): conv1d',
      'adapters.0 (lora): dt_proj',
      'adapters.0 (lora): out_proj',
      'adapters.1 (initial-state): scan, conv',
    ])
    const {config, tensors} = await readPeftFiles(out)
    expect(config).toMatchObject({lora_alpha: 6, r: 3, target_modules: ['in_proj']})
    expect([...tensors.keys()].every((name) => name.includes('.in_proj.'))).toBe(true)
    expect(tensors.size).toBe(report.tensors)
  })

  test('is refused all the same if nothing would be left', async () => {
    const refused = exported({settings: [lora({targets: ['out_proj']}), STATE]}, {partial: true})
    await expect(refused).rejects.toMatchObject({exit: 8, message: expect.stringContaining('No part')})
    await expect(refused).rejects.toHaveProperty('hint', expect.not.stringContaining('--partial'))
  })
})

describe('the base model', () => {
  const slices = [lora({targets: ['in_proj.x']})]
  const at = (directory: string): {directory: string; name: string} => ({directory, name: directory})

  test('is named by PEFT with its commit apart where it comes from the hub', async () => {
    const commit = 'a'.repeat(40)
    const {out} = await exported({settings: slices}, {base: {directory: BASE, name: `some/model@${commit}`}})
    const {config} = await readPeftFiles(out)
    expect(config).toMatchObject({base_model_name_or_path: 'some/model', revision: commit})
  })

  test('is needed for slices, and may be elsewhere than the adapter says', async () => {
    await expect(exported({base: 'gone', settings: slices})).rejects.toMatchObject({
      exit: 4,
      faults: [{message: expect.stringContaining('No model at gone'), where: 'gone'}],
      hint: 'Say where the model is with --base MODEL.',
    })
    const {out} = await exported({base: 'gone', settings: slices}, {base: at(BASE)})
    expect((await readPeftFiles(out)).config.base_model_name_or_path).toBe(BASE)
  })

  test('is not needed for whole modules', async () => {
    const {out} = await exported({base: 'gone', settings: [lora({targets: ['in_proj']}), lora({targets: ['x_proj']})]})
    expect((await readPeftFiles(out)).config.base_model_name_or_path).toBe('gone')
  })

  test('must be the one that the adapter was trained on', async () => {
    const refused = exported({settings: slices}, {base: at('models/tiny-mamba')})
    await expect(refused).rejects.toMatchObject({exit: 8, message: expect.stringContaining('another model')})
  })

  test('must have the sizes of the adapter', async () => {
    const refused = exported({settings: slices}, {anyBase: true, base: at('models/tiny-mamba')})
    await expect(refused).rejects.toMatchObject({
      exit: 8,
      faults: [
        {message: expect.stringContaining('this model has 512 × 256'), where: 'adapters.0.layers.0.mixer.in_proj.x'},
        {where: 'adapters.0.layers.1.mixer.in_proj.x'},
      ],
    })
  })
})

test('tensors that the settings do not describe are all named', async () => {
  const all = [['in_proj'], ['x_proj'], ['x_proj']].map((targets) => lora({targets}))
  const zeros = (...shape: [number, number]): ParameterValues => ({
    shape,
    values: new Float32Array(shape[0] * shape[1]),
  })
  const refused = exported({
    settings: all,
    change(tensors) {
      tensors.set('adapters.0.layers.0.mixer.in_proj.lora_C', zeros(1, 1))
      tensors.set('adapters.3.layers.0.mixer.in_proj.lora_A', zeros(1, 1))
      tensors.set('adapters.0.layers.1.mixer.in_proj.lora_A', zeros(2, 32))
      tensors.set('adapters.0.layers.1.mixer.in_proj.lora_B', zeros(128, 4))
      tensors.delete('adapters.1.layers.0.mixer.x_proj.lora_B')
      tensors.set('adapters.2.layers.1.mixer.x_proj.lora_A', zeros(3, 63))
      tensors.set('adapters.2.layers.1.mixer.x_proj.lora_B', zeros(19, 3))
    },
  })
  await expect(refused).rejects.toMatchObject({
    exit: 8,
    faults: [
      {message: 'is not a tensor of these adapters', where: 'adapters.0.layers.0.mixer.in_proj.lora_C'},
      {message: 'is not a tensor of these adapters', where: 'adapters.3.layers.0.mixer.in_proj.lora_A'},
      {message: 'has shape [2, 32], expected [3, inputs]', where: 'adapters.0.layers.1.mixer.in_proj.lora_A'},
      {message: 'has shape [128, 4], expected [rows, 3]', where: 'adapters.0.layers.1.mixer.in_proj.lora_B'},
      {message: 'is missing', where: 'adapters.1.layers.0.mixer.x_proj.lora_B'},
      {
        message: 'has shape [3, 63], and another update of this module [3, 64]',
        where: 'adapters.2.layers.1.mixer.x_proj.lora_A',
      },
      {
        message: 'has shape [19, 3], and another update of this module [20, 3]',
        where: 'adapters.2.layers.1.mixer.x_proj.lora_B',
      },
    ],
  })
})

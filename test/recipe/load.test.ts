import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {FileError, RecipeError} from '../../src/errors.js'
import {loadRecipe, parseRecipe} from '../../src/recipe/load.js'
import {SMALLEST} from './faults-of.js'

/** The recipe of the specification, word for word. */
const EXAMPLE = `version: 1
seed: 42
output_dir: runs/definitions
model: {base: models/tiny-mamba, dtype: auto}        # auto | f32 | f16, storage of frozen weights on the GPU
adapters:                                            # one or more, trained together
  - {method: lora, targets: [in_proj, out_proj], rank: 16, alpha: 32, dropout: 0.0, rslora: false}
  - {method: lora, targets: [dt_proj, x_proj.dt, x_proj.B, x_proj.C], rank: 8, alpha: 16}
  - {method: initial-state}                          # a learned first state of scan and conv: what prefix tokens become
init_adapter: null                                   # start from a saved adapter (ours or PEFT's)
data: {train: data/definitions.train.jsonl, validation: data/definitions.validation.jsonl, format: auto, loss_on: auto, max_length: 128, append_eos: true, shuffle: true, packing: false}
train:
  epochs: 1
  max_steps: null
  batch_size: 8
  gradient_accumulation: 1
  optimizer: {name: adamw, learning_rate: 1.0e-3, betas: [0.9, 0.999], epsilon: 1.0e-8, weight_decay: 0.0}
  schedule: {name: cosine, warmup: 0.03, min_ratio: 0.0}     # constant | linear | cosine
  clip_norm: 1.0                                     # null turns clipping off
eval: {every: 0.25, at_start: true}                  # fraction of an epoch, or whole steps
`

describe('parseRecipe', () => {
  test('reads the recipe of the specification', () => {
    expect(parseRecipe(EXAMPLE, 'r.yaml')).toEqual({
      adapters: [
        {alpha: 32, dropout: 0, method: 'lora', rank: 16, rslora: false, targets: ['in_proj', 'out_proj']},
        {
          alpha: 16,
          dropout: 0,
          method: 'lora',
          rank: 8,
          rslora: false,
          targets: ['dt_proj', 'x_proj.dt', 'x_proj.B', 'x_proj.C'],
        },
        {conv: true, method: 'initial-state', scan: true},
      ],
      data: {
        append_eos: true,
        carry_state: false,
        columns: {},
        container: 'auto',
        format: 'auto',
        loss_on: 'auto',
        max_length: 128,
        overflow: 'truncate_right',
        packing: false,
        shuffle: true,
        template: null,
        train: 'data/definitions.train.jsonl',
        train_on_eos: true,
        validation: 'data/definitions.validation.jsonl',
      },
      checkpoints: {every: 100, keep: 2},
      eval: {at_start: true, every: 0.25, samples: null},
      init_adapter: null,
      logging: {every: 10, report: true, tensorboard: false},
      model: {base: 'models/tiny-mamba', dtype: 'auto', stabilising_norm: false, tokenizer: null},
      output_dir: 'runs/definitions',
      seed: 42,
      train: {
        batch_size: 8,
        checkpointing: 'auto',
        clip_norm: 1,
        early_stopping: null,
        epochs: 1,
        gradient_accumulation: 1,
        keep: 'auto',
        max_minutes: null,
        max_skips: 10,
        max_steps: null,
        max_tokens: null,
        on_nonfinite: 'stop',
        optimizer: {betas: [0.9, 0.999], epsilon: 1e-8, learning_rate: 1e-3, name: 'adamw', weight_decay: 0},
        schedule: {decay: 0.2, min_ratio: 0, name: 'cosine', warmup: 0.03},
        tokens_per_step: null,
      },
      version: 1,
    })
  })

  test('fills in the values of the specification where a recipe is silent', () => {
    const example = parseRecipe(EXAMPLE, 'r.yaml')
    const filled = parseRecipe(SMALLEST, 'r.yaml')
    expect({...filled, adapters: [], data: {...filled.data, train: '', validation: ''}, output_dir: ''}).toEqual({
      ...example,
      adapters: [],
      data: {...example.data, train: '', validation: ''},
      output_dir: '',
    })
  })

  test('evaluates nothing unless validation files are named, and keeps paths as written', () => {
    const recipe = parseRecipe(SMALLEST, 'some/where/r.yaml')
    expect(recipe.data.validation).toBeNull()
    expect([recipe.model.base, recipe.data.train]).toEqual(['models/tiny-mamba', 'rows.jsonl'])
  })

  test('takes lists of files, switched-off clipping and fractional epochs', () => {
    const recipe = parseRecipe(
      `${SMALLEST.replace('rows.jsonl', '[a.jsonl, b.txt], validation: [c.jsonl]')}train: {epochs: 0.5, clip_norm: null, max_steps: 7}\n`,
      'r.yaml',
    )
    expect(recipe.data).toMatchObject({train: ['a.jsonl', 'b.txt'], validation: ['c.jsonl']})
    expect(recipe.train).toMatchObject({clip_norm: null, epochs: 0.5, max_steps: 7})
  })

  test.each([
    ['yes', true],
    ['No', false],
    ['ON', true],
    ['off', false],
    ['"yes"', true],
  ])('reads %s in boolean fields as %s', (word, expected) => {
    const recipe = parseRecipe(
      `${SMALLEST.replace('[in_proj]', `[in_proj], rslora: ${word}`)}eval: {at_start: ${word}}\n`,
      'r.yaml',
    )
    expect(recipe.eval.at_start).toBe(expected)
    expect(recipe.adapters[0]).toMatchObject({rslora: expected})
  })

  test('leaves yes and no alone in text fields, and accepts no for packing', () => {
    const recipe = parseRecipe(`${SMALLEST.replace('rows.jsonl', '"no", packing: no')}output_dir: yes\n`, 'r.yaml')
    expect([recipe.output_dir, recipe.data.train, recipe.data.packing]).toEqual(['yes', 'no', false])
  })

  test('unfolds aliases', () => {
    const recipe = parseRecipe(SMALLEST.replace('rows.jsonl', '&rows a.jsonl, validation: *rows'), 'r.yaml')
    expect(recipe.data).toMatchObject({train: 'a.jsonl', validation: 'a.jsonl'})
  })

  test('reads numbers as YAML 1.2 does, even under a directive of YAML 1.1', () => {
    const recipe = parseRecipe(`%YAML 1.1\n---\n${SMALLEST}seed: 010\ntrain: {clip_norm: 1e-1}\n`, 'r.yaml')
    expect([recipe.seed, recipe.train.clip_norm]).toEqual([10, 0.1])
  })
})

describe('loadRecipe', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'recipe-'))
  })
  afterAll(() => rm(folder, {recursive: true}))

  test('returns the recipe with its file, overrides applied', async () => {
    const file = join(folder, 'good.yaml')
    await writeFile(file, `\uFEFF${SMALLEST.replaceAll('\n', '\r\n')}`)
    const loaded = await loadRecipe(file, ['train.batch_size=4'])
    expect(loaded.file).toBe(file)
    expect(loaded.recipe.train.batch_size).toBe(4)
  })

  test('names the file, the line and the column of a fault', async () => {
    const file = join(folder, 'bad.yaml')
    await writeFile(file, `\uFEFF${SMALLEST.replaceAll('\n', '\r\n')}sede: 1\r\n`)
    await expect(loadRecipe(file)).rejects.toMatchObject({
      code: 'E_RECIPE',
      exit: 3,
      faults: [{message: 'sede: unknown key. Did you mean seed?', where: `${file}:6:1`}],
    })
    await expect(loadRecipe(file)).rejects.toBeInstanceOf(RecipeError)
  })

  test.each<[string, string | Uint8Array | null, RegExp]>([
    ['a missing file', null, /There is no recipe file .*a missing file/],
    ['a file that is not text', Uint8Array.of(0x76, 0xff, 0xfe), /not UTF-8/],
    ['a file of the wrong kind', 'x'.repeat(300_000), /300000 bytes/],
  ])('says what is wrong with %s', async (name, content, message) => {
    const file = join(folder, name)
    if (content !== null) await writeFile(file, content)
    await expect(loadRecipe(file)).rejects.toThrow(message)
    await expect(loadRecipe(file)).rejects.toBeInstanceOf(FileError)
  })

  test('says so when a directory is given, and when a path cannot be one', async () => {
    await expect(loadRecipe(folder)).rejects.toThrow(/is no recipe: it is a directory/)
    await expect(loadRecipe(join(folder, 'a\0b.yaml'))).rejects.toBeInstanceOf(FileError)
  })
})

import {describe, expect, test} from '@jest/globals'

import {parseRecipe} from '../../src/recipe/load.js'
import {type Recipe} from '../../src/recipe/schema.js'
import {faultsOfText, SMALLEST} from './faults-of.js'

const withOverrides = (...overrides: string[]): Recipe => parseRecipe(SMALLEST, 'r.yaml', overrides)

describe('--set', () => {
  test('changes what the file says and adds what it leaves out', () => {
    const recipe = withOverrides(
      'model.base=elsewhere',
      'train.optimizer.learning_rate=5e-4',
      'seed=7',
      'init_adapter=old',
    )
    expect(recipe.model.base).toBe('elsewhere')
    expect(recipe.train.optimizer).toMatchObject({epsilon: 1e-8, learning_rate: 5e-4})
    expect([recipe.seed, recipe.init_adapter]).toEqual([7, 'old'])
  })

  test('reads its value as YAML', () => {
    const recipe = withOverrides(
      'train.clip_norm=null',
      'data.train=[a.jsonl, b.jsonl]',
      'output_dir="007"',
      'eval={every: 5, at_start: no}',
      'model.base=a=b',
    )
    expect(recipe.train.clip_norm).toBeNull()
    expect(recipe.data.train).toEqual(['a.jsonl', 'b.jsonl'])
    expect([recipe.output_dir, recipe.model.base]).toEqual(['007', 'a=b'])
    expect(recipe.eval).toEqual({at_start: false, every: 5, samples: null})
  })

  test('reaches into the list of adapters and appends to it', () => {
    const recipe = withOverrides(
      'adapters.0.rank=4',
      'adapters.0.targets.1=out_proj',
      'adapters.1.method=initial-state',
      'adapters.1.conv=false',
    )
    expect(recipe.adapters).toEqual([
      {alpha: 32, dropout: 0, method: 'lora', rank: 4, rslora: false, targets: ['in_proj', 'out_proj']},
      {conv: false, method: 'initial-state', scan: true},
    ])
  })

  test('a later one wins, and what it replaces is not judged', () => {
    expect(withOverrides('seed=1', 'seed=nonsense', 'seed=3').seed).toBe(3)
  })

  test('mends a file: a fault of a replaced value is gone', () => {
    const broken = `${SMALLEST}train: {epochs: -1}\n`
    expect(faultsOfText(broken)).toHaveLength(1)
    expect(faultsOfText(broken, ['train.epochs=2'])).toEqual([])
    expect(faultsOfText(broken, ['train={}'])).toEqual([])
  })

  test('fills a section that the file leaves empty', () => {
    expect(parseRecipe(`${SMALLEST}train:\n`, 'r.yaml', ['train.epochs=2']).train.epochs).toBe(2)
  })

  test.each([
    ['train.batchsize=4', '--set train.batchsize  train.batchsize: unknown key. Did you mean train.batch_size?'],
    ['trian.batch_size=4', '--set trian.batch_size  trian: unknown key. Did you mean train?'],
    ['adapters.0.rnk=4', '--set adapters.0.rnk  adapters.0.rnk: unknown key. Did you mean adapters.0.rank?'],
    [
      'adapters.0={method: lora, targets: [a], rnk: 4}',
      '--set adapters.0  adapters.0.rnk: unknown key. Did you mean adapters.0.rank?',
    ],
    ['adapters.1={method: lora}', /^--set adapters\.1 {2}adapters\.1\.targets: required but missing/],
    ['train.batch_size=0', '--set train.batch_size  train.batch_size: expected at least 1, got 0'],
    ['train.batch_size=', '--set train.batch_size  train.batch_size: expected a number, got nothing'],
    ['train.batch_size', '--set train.batch_size  train.batch_size: no value; write --set train.batch_size=value'],
    ['data.train=[a', /^--set data\.train {2}data\.train: not valid YAML: /],
    ['=4', '--set =4  "" names no key; write it like train.batch_size or adapters.0.rank'],
    [
      'train..epochs=4',
      '--set train..epochs  "train..epochs" names no key; write it like train.batch_size or adapters.0.rank',
    ],
    ['version.x=4', '--set version.x  version.x: version is 1, which has no keys'],
    [
      'adapters.2.rank=4',
      '--set adapters.2.rank  adapters.2.rank: adapters is a list of 1; write an index from 0 to 1 (1 appends)',
    ],
    ['adapters.first.rank=4', /^--set adapters\.first\.rank .* is a list of 1/],
    ['__proto__.seed=4', /^--set __proto__\.seed {2}__proto__: unknown key/],
    ['adapters.__proto__=4', /^--set adapters\.__proto__ .* is a list of 1/],
  ])('%s is reported', (override, expected) => {
    expect(faultsOfText(SMALLEST, [override])).toEqual([
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    ])
    expect(Object.hasOwn(Object.prototype, 'seed')).toBe(false)
  })

  test('is checked together with the file', () => {
    expect(faultsOfText(`${SMALLEST}train: {max_steps: 10}\n`, ['train.schedule.warmup=20'])).toEqual([
      '--set train.schedule.warmup  train.schedule.warmup: 20 steps of warm-up are longer than the run, whose train.max_steps is 10; write at most 10, or a share below 1',
    ])
  })
})

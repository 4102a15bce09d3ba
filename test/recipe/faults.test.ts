import {describe, expect, test} from '@jest/globals'

import {methodSchemas} from '../../src/peft/method-settings.js'
import {faultsOfText, SMALLEST} from './faults-of.js'

const METHODS = methodSchemas.map(({shape}) => shape.method.value).join(', ')

/** Each broken value in its own recipe: what stands in the file, and the fault that it must give. */
const CASES: readonly [string, string, string][] = [
  ['seed: -1', '6:7', 'seed: expected at least 0, got -1'],
  ['seed: 4294967296', '6:7', 'seed: expected at most 4294967295, got 4294967296'],
  ['seed: 1.5', '6:7', 'seed: expected a whole number, got 1.5'],
  ['seed: .nan', '6:7', 'seed: expected a finite number, got .nan'],
  ['seed: "7"', '6:7', 'seed: expected a number, got the text "7": remove the quotes'],
  ['seed: 1_000', '6:7', 'seed: expected a number, got the text "1_000": write 1000'],
  ['seed: many', '6:7', 'seed: expected a number, got the text "many"'],
  ['seed:', '6:6', 'seed: expected a number, got nothing'],
  ['seed: [1]', '6:7', 'seed: expected a number, got a list of 1'],
  ['output_dir: 2024', '6:13', 'output_dir: expected text, got 2024: put it in quotes, "2024"'],
  ['output_dir: ""', '6:13', 'output_dir: must not be empty'],
  ['output_dir: "a\\0b"', '6:13', 'output_dir: a path cannot hold a NUL character'],
  ['init_adapter: {}', '6:15', 'init_adapter: expected text, got a mapping'],
  [
    'train:',
    '6:7',
    'train: expected a mapping of keys to values, got nothing: write its keys below it, or delete the line',
  ],
  ['train: {max_steps: 0}', '6:20', 'train.max_steps: expected at least 1, got 0'],
  ['train: {epochs: 0}', '6:17', 'train.epochs: expected more than 0, got 0'],
  ['train: {epochs: .inf}', '6:17', 'train.epochs: expected a finite number, got .inf'],
  ['train: {clip_norm: -1}', '6:20', 'train.clip_norm: expected more than 0, got -1'],
  ['train: {optimizer: {betas: [0.9]}}', '6:28', 'train.optimizer.betas: expected at least 2 entries, got a list of 1'],
  ['train: {optimizer: {betas: [0.9, 1]}}', '6:34', 'train.optimizer.betas.1: expected less than 1, got 1'],
  ['train: {optimizer: {name: adam}}', '6:27', 'train.optimizer.name: expected adamw, got the text "adam"'],
  [
    'train: {schedule: {name: cosin}}',
    '6:26',
    'train.schedule.name: expected one of constant, linear, cosine, wsd, got the text "cosin". Did you mean cosine?',
  ],
  [
    'train: {schedule: {warmup: 1.5}}',
    '6:28',
    'train.schedule.warmup: expected a share below 1 or a whole number of steps, got 1.5',
  ],
  ['eval: {every: 0}', '6:15', 'eval.every: expected more than 0, got 0'],
  ['eval: {at_start: "true"}', '6:18', 'eval.at_start: expected true or false, got the text "true": remove the quotes'],
  ['eval: {at_start: maybe}', '6:18', 'eval.at_start: expected true or false, got the text "maybe"'],
]

describe('a wrong value', () => {
  test.each(CASES)('%s is reported at %s', (line, position, message) => {
    expect(faultsOfText(`${SMALLEST}${line}\n`)).toEqual([`r.yaml:${position}  ${message}`])
  })

  test.each([
    ['50%', '5:39', 'data.validation: expected a share above 0% and below 50%, such as 5%, got 50%'],
    ['0.0%', '5:39', 'data.validation: expected a share above 0% and below 50%, such as 5%, got 0.0%'],
    ['-5 %', '5:39', 'data.validation: expected a share above 0% and below 50%, such as 5%, got -5 %'],
    ['"0.05"', '5:39', 'data.validation: expected a share above 0% and below 50%, such as 5%, got 0.05'],
    ['[a, 5%]', '5:43', 'data.validation.1: a share stands alone, not in a list of files'],
    ['0.05', '5:39', 'data.validation: expected text or a list, got 0.05: put it in quotes, "0.05"'],
  ])('data.validation: %s is reported', (value, position, message) => {
    const text = SMALLEST.replace(/\{train: (.*)\}/, `{train: $1, validation: ${value}}`)
    expect(faultsOfText(text)).toEqual([`r.yaml:${position}  ${message}`])
  })

  test.each([
    ['5', '5:15  data.train: expected text or a list, got 5: put it in quotes, "5"'],
    ['[]', '5:15  data.train: expected at least 1 entry, got an empty list'],
    ['[a, 3]', '5:19  data.train.1: expected text, got 3: put it in quotes, "3"'],
    ['[a, ""]', '5:19  data.train.1: must not be empty'],
    ['{a: b}', '5:15  data.train: expected text or a list, got a mapping'],
    ['a, packing: 3', '5:27  data.packing: expected true or false, got 3'],
  ])('data.train: %s is reported', (value, expected) => {
    const faults = faultsOfText(SMALLEST.replace('rows.jsonl', value))
    expect(faults).toEqual([typeof expected === 'string' ? `r.yaml:${expected}` : expect.stringMatching(expected)])
  })

  test.each([
    ['{method: loar}', `4:14  adapters.0.method: expected one of ${METHODS}, got the text "loar". Did you mean lora?`],
    ['{targets: [a]}', `4:5  adapters.0.method: required but missing; expected one of ${METHODS}`],
    ['{method: lora, targets: []}', '4:29  adapters.0.targets: expected at least 1 entry, got an empty list'],
    [
      '',
      '4:5  adapters.0: expected a mapping of keys to values, got nothing: write its keys below it, or delete the line',
    ],
  ])('adapter %s is reported', (entry, expected) => {
    expect(faultsOfText(SMALLEST.replace('{method: lora, targets: [in_proj]}', entry))).toEqual([`r.yaml:${expected}`])
  })

  test('another version of the format is refused', () => {
    expect(faultsOfText(SMALLEST.replace('version: 1', 'version: 2'))).toEqual([
      'r.yaml:1:10  version: expected 1, got 2',
    ])
    expect(faultsOfText(SMALLEST.replace('version: 1', 'version: "1"'))).toEqual([
      'r.yaml:1:10  version: expected 1, got the text "1": remove the quotes',
    ])
  })

  test('an empty list of adapters is refused', () => {
    expect(faultsOfText(SMALLEST.replace(/adapters:\n.*\n/, 'adapters: []\n'))).toEqual([
      'r.yaml:3:11  adapters: expected at least 1 entry, got an empty list',
    ])
  })
})

describe('a missing key', () => {
  test('is reported where it should stand, with its meaning, down to the keys that are required', () => {
    const faults = faultsOfText('seed: 1\nmodel:\n  dtype: f32\n')
    expect(faults.map((fault) => fault.split('. ', 1)[0])).toEqual([
      'r.yaml:1:1  version: required but missing',
      'r.yaml:1:1  adapters: required but missing',
      'r.yaml:1:1  data.train: required but missing',
      'r.yaml:2:1  model.base: required but missing',
    ])
    expect(faults[3]).toContain('The pretrained model: a directory')
  })
})

describe('an unknown key', () => {
  test.each([
    ['sede: 1', 'sede', 'Did you mean seed?'],
    ['outputDir: x', 'outputDir', 'Did you mean output_dir?'],
    ['batch_size: 4', 'batch_size', 'Did you mean train.batch_size?'],
    ['lr: 1', 'lr', 'Did you mean train.optimizer.learning_rate?'],
    ['lora_alpha: 1', 'lora_alpha', 'Did you mean adapters.N.alpha?'],
    ['train: {batchsize: 4}', 'train.batchsize', 'Did you mean train.batch_size?'],
    ['train: {schedule: {warmup_steps: 4}}', 'train.schedule.warmup_steps', 'Did you mean train.schedule.warmup?'],
    ['eval: {frobnicate: 4}', 'eval.frobnicate', 'Known here: every, at_start, samples'],
    ['__proto__: {seed: 4}', '__proto__', expect.stringContaining('Known here: version, seed')],
    ['constructor: 4', 'constructor', expect.stringContaining('Known here: version, seed')],
  ])('%s gets advice', (line, key, advice) => {
    const [fault, ...others] = faultsOfText(`${SMALLEST}${line}\n`)
    expect(others).toEqual([])
    const [start, rest] = fault.split(': unknown key. ')
    expect(start).toMatch(new RegExp(`^r\\.yaml:6:\\d+ {2}${key.replaceAll('.', '\\.')}$`))
    expect(rest).toEqual(advice)
  })

  test('of an adapter is compared with the keys of its method', () => {
    const entry = (text: string): string[] => faultsOfText(SMALLEST.replace('{method: lora, targets: [in_proj]}', text))
    expect(entry('{method: lora, targets: [in_proj], rnk: 8}')).toEqual([
      'r.yaml:4:40  adapters.0.rnk: unknown key. Did you mean adapters.0.rank?',
    ])
    expect(entry('{method: initial-state, alpha: 8}')).toEqual([
      'r.yaml:4:29  adapters.0.alpha: unknown key. Did you mean adapters.N.alpha?',
    ])
  })
})

describe('rules that tie keys together', () => {
  const warmup = (steps: number, most: number): string =>
    `${SMALLEST}train: {max_steps: ${most}, schedule: {warmup: ${steps}}}\n`

  test('warm-up in steps must fit into the run, a share always does', () => {
    expect(faultsOfText(warmup(101, 100))).toEqual([
      'r.yaml:6:44  train.schedule.warmup: 101 steps of warm-up are longer than the run, whose train.max_steps is 100; write at most 100, or a share below 1',
    ])
    expect([faultsOfText(warmup(100, 100)), faultsOfText(warmup(0.5, 1))]).toEqual([[], []])
  })

  test('two adapters of the same method and targets are refused, whatever the order of the targets', () => {
    const entry = '  - {method: lora, targets: [in_proj]}\n'
    const twice = (first: string, second: string): string[] =>
      faultsOfText(SMALLEST.replace(entry, `  - ${first}\n  - ${second}\n`))
    expect(twice('{method: lora, targets: [a, b]}', '{method: lora, targets: [b, a], rank: 4}')).toEqual([
      'r.yaml:5:5  adapters.1: same method and targets as adapters.0 (lora on a, b); make one of the two, or give them different targets',
    ])
    expect(twice('{method: initial-state}', '{method: initial-state}')).toHaveLength(1)
    expect(twice('{method: lora, targets: [a, b]}', '{method: lora, targets: [a]}')).toEqual([])
  })

  test('a loss on completions or labels needs rows that have them', () => {
    const loss = (settings: string): string[] => faultsOfText(SMALLEST.replace('rows.jsonl', `rows.jsonl, ${settings}`))
    expect(loss('format: text, loss_on: completion')).toEqual([
      'r.yaml:5:50  data.loss_on: completion does not go with rows of format text; write auto or all',
    ])
    expect(loss('format: prompt_completion, loss_on: labelled')).toHaveLength(1)
    expect([
      loss('loss_on: completion'),
      loss('format: tokens, loss_on: labelled'),
      loss('format: text, loss_on: all'),
    ]).toEqual([[], [], []])
  })
})

test('everything that is wrong is reported at once, from the top of the file to its end', () => {
  const faults = faultsOfText(
    `version: 1
modle: {base: x}
adapters:
  - {method: lora, targets: [a], rank: 0}
  - {method: lora, targets: [a]}
data: {train: 5, append_eos: perhaps, append_eos: off}
train: {max_steps: 3, schedule: {warmup: 4}, batch_size: "8"}
`,
    ['train.epochs=-1', 'train.nonsense=1'],
  )
  expect(faults.map((fault) => fault.replace(/(?<= {2}\S+): .*/, ''))).toEqual([
    'r.yaml:1:1  model.base',
    'r.yaml:2:1  modle',
    'r.yaml:4:40  adapters.0.rank',
    'r.yaml:5:5  adapters.1',
    'r.yaml:6:15  data.train',
    'r.yaml:6:39  data.append_eos',
    'r.yaml:7:42  train.schedule.warmup',
    'r.yaml:7:58  train.batch_size',
    '--set train.epochs  train.epochs',
    '--set train.nonsense  train.nonsense',
  ])
})

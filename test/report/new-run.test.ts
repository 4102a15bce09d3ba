import {beforeAll, describe, expect, test} from '@jest/globals'
import {cp, mkdir, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {estimateText} from '../../src/cli/wizard/ask-budget.js'
import {checkAnswer} from '../../src/cli/wizard/check-answer.js'
import {defaultAnswer} from '../../src/cli/wizard/default-answer.js'
import {type Facts} from '../../src/cli/wizard/facts.js'
import {modelChoices} from '../../src/cli/wizard/ask-model.js'
import {pathsFor} from '../../src/cli/wizard/path-choices.js'
import {type MambaConfig} from '../../src/model/config.js'
import {presetConfig} from '../../src/model/presets.js'
import {type Choices, type DraftFacts, draftOf} from '../../src/recipe/new/draft.js'
import {chooseMethod} from '../../src/recipe/new/method-presets.js'
import {findTrainingData, findValidation} from '../../src/report/new/find-data.js'
import {findModels, type FoundModel} from '../../src/report/new/find-models.js'
import {fitOf} from '../../src/report/new/model-fit.js'
import {runTime, secondsPerStep} from '../../src/report/new/run-time.js'
import {measureSpeed} from '../../src/report/new/training-speed.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()

beforeAll(async () => {
  await mkdir(inWork('models'))
  await cp('models/tiny-mamba2', inWork('models', 'own'), {recursive: true})
  await mkdir(inWork('rows', 'sub'), {recursive: true})
  for (const name of ['b.jsonl', 'my.train.jsonl', 'my.valid.jsonl', 'rows/train.csv', 'rows/dev.csv', 'note.docx']) {
    await writeFile(inWork(name), 'x')
  }
})

describe('models', () => {
  let models: readonly FoundModel[]

  beforeAll(async () => {
    const settings = {cache: inWork('none'), endpoint: 'https://example.org', offline: true, token: null}
    models = await findModels(inWork(), settings)
  })

  test('are those here, of the package and of the hub, in this order', () => {
    expect(models[0]).toMatchObject({base: path.join('models', 'own'), config: {architecture: 'mamba2'}, where: 'here'})
    expect(models.filter(({where}) => where === 'package').map(({base}) => path.basename(base))).toEqual([
      'tiny-mamba',
      'tiny-mamba2',
    ])
    const hub = models.filter(({where}) => where === 'hub')
    expect(hub).toHaveLength(18)
    expect(hub.find(({base}) => base.endsWith('Codestral-7B-v0.1'))?.parameters).toBe(7_285_403_648)
  })

  test('are looked up by words; what is none of them is taken as typed', () => {
    const names = (term: string): string[] => modelChoices(models, new Map(), term).map(({value}) => value)
    expect(names('mamba2 2.7b')).toEqual(['AntonV/mamba2-2.7b-hf', 'state-spaces/mamba2-2.7b', 'mamba2 2.7b'])
    expect(names('own')).toEqual([path.join('models', 'own')])
    expect(names('me/mine')).toEqual(['me/mine'])
  })

  test('fit or do not, on the device that there is', async () => {
    const available = {bytes: 4 * 2 ** 30, source: 'a WebAssembly heap'}
    const some = models.filter(({base}) => /tiny-mamba$|mamba-2.8b/.test(base))
    const fitting = await fitOf(some, {available, place: {device: 'cpu', precision: 'f32'}})
    expect([...fitting.values()].map(({fits}) => fits)).toEqual([true, false])
  })
})

describe('data', () => {
  test('for training are those here, and then those of the package', async () => {
    const found = await findTrainingData(inWork())
    expect(found.filter(({where}) => where === 'here').map((data) => data.path)).toEqual([
      'my.train.jsonl',
      path.join('rows', 'train.csv'),
      'b.jsonl',
    ])
    expect(found.filter(({where}) => where === 'package').map((data) => path.basename(data.path))).toEqual([
      'definitions.train.jsonl',
      'kjv.train.txt',
    ])
  })

  test('for validation lie beside, or in the same directory', async () => {
    expect(await findValidation(inWork('my.train.jsonl'), [])).toBe(inWork('my.valid.jsonl'))
    expect(await findValidation(inWork('b.jsonl'), [])).toBeNull()
    const files = [inWork('rows', 'train.csv'), inWork('rows', 'dev.csv')]
    expect(await findValidation(inWork('rows'), files)).toBe(inWork('rows'))
    expect(await findValidation(inWork('rows'), files.slice(0, 1))).toBeNull()
  })

  test('for validation, where none lies beside, are a share of two rows or more', async () => {
    const answerFor = (data: string, rows: number): Promise<string> => {
      const facts = {answer: () => inWork(data), data: () => Promise.resolve({files: [], inspection: {rows}})}
      return defaultAnswer('validation', facts as unknown as Facts, null)
    }
    expect(await answerFor('my.train.jsonl', 100)).toBe(inWork('my.valid.jsonl'))
    expect(await answerFor('b.jsonl', 2)).toBe('5%')
    expect(await answerFor('b.jsonl', 1)).toBe('none')
  })

  test.each([
    ['60%', 100, 'expected a share above 0% and below 50%'],
    ['5%', 1, 'none can be held out'],
  ])('of a share %s of %s rows are refused', async (share, rows, message) => {
    const facts = {data: () => Promise.resolve({inspection: {rows}})} as unknown as Facts
    const checked = Promise.resolve().then(() => checkAnswer('validation', share, facts))
    await expect(checked).rejects.toThrow(message)
  })

  test('are completed as paths', async () => {
    const typed = async (term: string): Promise<string[]> =>
      (await pathsFor(inWork(term))).map((choice) => path.relative(inWork(), choice.path))
    expect(await typed('m')).toEqual(['my.train.jsonl', 'my.valid.jsonl', 'models'])
    expect(await typed('rows/')).toEqual(['rows', 'rows/dev.csv', 'rows/train.csv', 'rows/sub'])
    expect(await typed('note.docx')).toEqual(['note.docx'])
    expect(await typed('nothing')).toEqual([])
  })
})

const FACTS: DraftFacts = {
  config: presetConfig('tiny'),
  device: 'cpu',
  hasEos: true,
  parameters: 4e6,
  rows: {
    format: 'text',
    heldOut: 0,
    isPlainText: false,
    longest: 80,
    percentile95: 50,
    rows: 80,
    total: 3000,
    validation: null,
  },
  secondsPerStep: null,
}
const CHOICES: Choices = {
  budget: {amount: 1, unit: 'epochs'},
  data: 'a',
  goal: 'text',
  method: 'light',
  model: 'm',
  out: 'o',
  validation: 'v',
}

test('the speed of a small model is measured, that of a large one follows from it', async () => {
  const question = {
    adapters: (config: MambaConfig) =>
      chooseMethod('light', config, {parameters: 4e6}).adapters.map(({settings}) => settings),
    device: 'cpu',
    gpuMemory: null,
    length: 8,
    rows: 1,
  } as const
  const small = await measureSpeed({...question, config: {...presetConfig('tiny'), layers: 1}})
  expect(small.source).toMatch(/^measured here: 2 steps of 1 × 8 tokens on cpu, \d+ threads?$/)
  const large = await measureSpeed({...question, config: presetConfig('mamba-130m')})
  expect(large.source).toMatch(
    /^scaled by size from a model of 4 million numbers, measured here: 2 steps of 1 × 8 tokens/,
  )
  expect(large.tokensPerSecond).toBeLessThan(small.tokensPerSecond)
  const text = estimateText({amount: 1, unit: 'steps'}, draftOf(CHOICES, FACTS), {...small, tokensPerSecond: 100})
  expect(text).toBe('about 4s, 1 step, 0.1 epochs')
})

describe('the time of a run', () => {
  const draft = (amount: number, unit: 'epochs' | 'minutes'): ReturnType<typeof draftOf> => {
    const all = {...CHOICES, budget: {amount, unit}}
    const known = {...FACTS, rows: {...FACTS.rows, validation: 600}}
    const first = draftOf(all, {...known, secondsPerStep: null})
    return draftOf(all, {...known, secondsPerStep: secondsPerStep(first, 100)})
  }

  test('is that of its steps, padded, and of its evaluations', () => {
    // 20 steps of 8 × 50 tokens, and 5 evaluations of 600 at a third of the cost, at 100 tokens a second: one in five steps
    expect(runTime(draft(2, 'epochs'), 100)).toEqual({epochs: 2, seconds: 80 + 10, steps: 20})
  })

  test('is the minutes that it was given, and says how many steps these are', () => {
    expect(runTime(draft(2, 'minutes'), 100)).toEqual({epochs: 3, seconds: 120, steps: 30})
  })
})

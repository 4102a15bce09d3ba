import {describe, expect, test} from '@jest/globals'
import {ROW_FORMATS} from '../../src/data/dataset.js'
import {presetConfig} from '../../src/model/presets.js'
import {methodSchemas} from '../../src/peft/method-settings.js'
import {budgetFlag, limitsOf, parseBudget} from '../../src/recipe/new/budget.js'
import {type Choices, type DraftFacts, draftOf} from '../../src/recipe/new/draft.js'
import {goalsFor} from '../../src/recipe/new/goals.js'
import {METHOD_PRESETS} from '../../src/recipe/new/method-names.js'
import {chooseMethod, methodPresetsFor} from '../../src/recipe/new/method-presets.js'
import {newRecipe} from '../../src/recipe/new/new-recipe.js'
import {paddedLength, rowLength, type RowFacts, sequencesOf, withHeldOut} from '../../src/recipe/new/row-facts.js'
import {countParameters} from '../../src/report/inspect-model.js'
import {trainedNumbers} from '../../src/report/plan.js'

const rows: RowFacts = {
  format: 'prompt_completion',
  heldOut: 0,
  isPlainText: false,
  longest: 78,
  percentile95: 60,
  rows: 8000,
  total: 277_000,
  validation: 14_000,
}
const config = presetConfig('tiny')
const facts: DraftFacts = {config, device: 'cpu', hasEos: true, parameters: 4e6, rows, secondsPerStep: null}
const choices: Choices = {
  budget: {amount: 1, unit: 'epochs'},
  data: 'rows.jsonl',
  goal: 'answer',
  method: 'balanced',
  model: 'models/tiny-mamba',
  out: 'runs/new',
  validation: 'more.jsonl',
}

const ARCHITECTURES = ['tiny', 'falcon-mamba-7b', 'mamba2-130m', 'mamba-codestral-7b'] as const

describe.each(ARCHITECTURES)('each method for %s', (name) => {
  const shape = presetConfig(name)
  const parameters = countParameters(shape)

  test('makes a recipe that is valid, matches the model and says of every number why', () => {
    for (const method of methodPresetsFor(shape)) {
      const draft = draftOf({...choices, method}, {...facts, config: shape, parameters})
      const {recipe, text} = newRecipe(draft, 'new.yaml')
      expect(trainedNumbers(recipe.adapters, shape)).toBeGreaterThan(0)
      const numbers = text
        .split('\n')
        .filter((line) => /^\s*(- )?\w+: (\[[\d., ]+\]|[\d.]+(e-?\d+)?)\s*(#|$)/.test(line))
      expect(numbers.length).toBeGreaterThan(12)
      expect(numbers.filter((line) => !/# \S+ \S+/.test(line))).toEqual([])
    }
  })
})

test('every method of the registry is offered, but to models that cannot have it', () => {
  const offered = METHOD_PRESETS.flatMap((name) => chooseMethod(name, config, {parameters: 4e6}).adapters)
  expect(new Set(offered.map(({settings}) => settings.method))).toEqual(
    new Set(methodSchemas.map((schema) => schema.shape.method.value)),
  )
  expect(methodPresetsFor(config)).toEqual(METHOD_PRESETS)
  expect(methodPresetsFor(presetConfig('mamba2-130m'))).not.toContain('sparse-dimension')
  expect(methodPresetsFor(presetConfig('falcon-mamba-7b'))).not.toContain('additional-scan')
})

test('LoRA learns more slowly in larger models, few numbers do not', () => {
  const rate = (method: 'light' | 'delta-scale', parameters: number): number =>
    chooseMethod(method, config, {parameters}).learningRate.value
  expect([4e6, 130e6, 2.8e9].map((size) => rate('light', size))).toEqual([1e-3, 5e-4, 2e-4])
  expect(chooseMethod('full', config, {parameters: 2.8e9}).learningRate.value).toBe(6e-5)
  expect(rate('delta-scale', 2.8e9)).toBe(rate('delta-scale', 4e6))
})

test('a warm-up is a quarter of a short run', () => {
  const draft = draftOf({...choices, budget: {amount: 40, unit: 'steps'}, method: 'sparse-dimension'}, facts)
  expect(newRecipe(draft, 'new.yaml').recipe.adapters).toMatchObject([{warmup_steps: 10}])
})

test.each(ROW_FORMATS)('rows of format %s have goals, and each goal a recipe', (format) => {
  const goals = goalsFor(format)
  expect(goals.length).toBeGreaterThan(0)
  for (const goal of goals) {
    const draft = draftOf({...choices, goal}, {...facts, rows: {...rows, format}})
    const {recipe} = newRecipe(draft, 'new.yaml')
    expect(recipe.data.format).toBe(format)
    expect(recipe.train.early_stopping !== null).toBe(goal === 'classify')
  }
})

describe('a budget', () => {
  test.each([
    ['3', {amount: 3, unit: 'epochs'}],
    ['0.5 epochs', {amount: 0.5, unit: 'epochs'}],
    ['20m', {amount: 20, unit: 'minutes'}],
    ['1.5 hours', {amount: 90, unit: 'minutes'}],
    ['1.1h', {amount: 66, unit: 'minutes'}],
    ['500steps', {amount: 500, unit: 'steps'}],
  ] as const)('is read from %s, and from its own flag', (text, budget) => {
    expect(parseBudget(text)).toEqual(budget)
    expect(parseBudget(budgetFlag(budget))).toEqual(budget)
  })

  test.each(['', 'soon', '0', '-1', '1.5steps', '3 weeks', '1e3'])('is not read from %j', (text) => {
    expect(parseBudget(text)).toBeNull()
  })

  test('of minutes leaves room for a quicker machine, and a recipe of its own', () => {
    expect(limitsOf({amount: 20, unit: 'minutes'}, 1.2)).toEqual({epochs: 3, maxMinutes: 20, maxSteps: null})
    expect(limitsOf({amount: 20, unit: 'minutes'}, null).epochs).toBeGreaterThan(100)
    const draft = draftOf({...choices, budget: {amount: 20, unit: 'minutes'}}, {...facts, secondsPerStep: 2})
    expect(draft.steps).toBe(600)
    expect(newRecipe(draft, 'new.yaml').recipe).toMatchObject({
      eval: {every: 150},
      train: {epochs: 2, max_minutes: 20, max_steps: null},
    })
  })
})

test('evaluations are few, and rarer where they take long beside the steps', () => {
  const every = (steps: number, validation: number, goal: 'answer' | 'classify' = 'answer'): number =>
    draftOf({...choices, budget: {amount: steps, unit: 'steps'}, goal}, {...facts, rows: {...rows, validation}})
      .evaluateEvery
  expect([every(1000, 14_000), every(1000, 14_000, 'classify')]).toEqual([250, 125])
  // A third of 14,400 tokens is a tenth of 100 steps of 8 × 60 tokens.
  expect(every(100, 14_400)).toBe(100)
  expect(every(2, 1)).toBe(1)
})

describe('rows', () => {
  test('are as long as the longest, or as 95 % of them, or as the device has room for', () => {
    expect(rowLength(rows, 'cpu').value).toBe(96)
    expect(rowLength({...rows, longest: 9000, percentile95: 700}, 'cpu').value).toBe(704)
    expect(rowLength({...rows, longest: 9000, percentile95: 7000}, 'cpu').value).toBe(1024)
    expect(rowLength({...rows, longest: 9000, percentile95: 7000}, 'gpu').value).toBe(2048)
  })

  test('of plain text are pieces', () => {
    const text = {...rows, isPlainText: true, rows: 1, total: 1000}
    expect(rowLength(text, 'cpu').value).toBe(128)
    expect([sequencesOf(text, 128), paddedLength(text, 128), paddedLength(rows, 128)]).toEqual([8, 128, 60])
    expect(draftOf({...choices, goal: 'text'}, {...facts, rows: {...text, format: 'text'}}).stepsPerEpoch).toBe(1)
  })

  test('without an end-of-sequence token get none', () => {
    expect(newRecipe(draftOf(choices, {...facts, hasEos: false}), 'new.yaml').recipe.data.append_eos).toBe(false)
  })
})

test('a share of the rows is held out, counted, and not trained on', () => {
  const held = withHeldOut({...rows, total: 240_000, validation: null}, 0.05)
  expect(held).toMatchObject({heldOut: 400, rows: 7600, total: 228_000, validation: 12_000})
  const draft = draftOf({...choices, validation: '5%'}, {...facts, rows: held})
  const {recipe, text} = newRecipe(draft, 'new.yaml')
  expect(draft.stepsPerEpoch).toBe(950)
  expect(recipe.data.validation).toBe('5%')
  expect(text).toMatch(/^ {2}train: rows\.jsonl +# 8,000 rows$/m)
  expect(text).toMatch(/^ {2}validation: 5% +# 400 of these rows, always the same; not trained on$/m)
})

test('settings that make a step fit are written in their places', () => {
  const fitting = [
    'train.checkpointing=block',
    'train.batch_size=2',
    'train.gradient_accumulation=4',
    'data.max_length=48',
  ]
  const {recipe, text} = newRecipe(draftOf(choices, facts), 'new.yaml', fitting)
  expect(recipe).toMatchObject({
    data: {max_length: 48},
    train: {batch_size: 2, checkpointing: 'block', gradient_accumulation: 4},
  })
  expect(text).toContain('so a step still has 8 rows')
})

test('names that YAML would take for something else come through', () => {
  const draft = draftOf({...choices, data: 'a: #b.jsonl', model: '1e3', out: 'runs/yes', validation: null}, facts)
  expect(newRecipe(draft, 'new.yaml').recipe).toMatchObject({
    data: {train: 'a: #b.jsonl', validation: null},
    model: {base: '1e3'},
  })
})

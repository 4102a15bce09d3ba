import {beforeAll, describe, expect, test} from '@jest/globals'
import {mkdir, writeFile} from 'node:fs/promises'
import {compareRecipes} from '../../src/recipe/compare-recipes.js'
import {type Environment} from '../../src/recipe/environment.js'
import {editorJsonSchema} from '../../src/recipe/json-schema.js'
import {loadRecipe, parseRecipe} from '../../src/recipe/load.js'
import {resolvedYaml} from '../../src/recipe/resolved.js'
import {workDirectory} from '../support/work-directory.js'
import {SMALLEST} from './faults-of.js'

const inWork = workDirectory()

async function faultsOf(name: string, environment: Environment = {}): Promise<string[]> {
  const error: unknown = await loadRecipe(inWork(name), [], environment).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({code: 'E_RECIPE', exit: 3})
  const {faults} = error as {faults: {message: string; where: string}[]}
  return faults.map(({message, where}) => `${where}  ${message}`.replaceAll(inWork('/'), ''))
}

beforeAll(async () => {
  await mkdir(inWork('deep'))
  const files = {
    'base.yaml': `${SMALLEST}train:\n  epochs: 2\n  optimizer: {learning_rate: 1.0e-4}\n`,
    'deep/own.yaml': 'extends: ../middle.yaml\ntrain: {optimizer: {weight_decay: 0.5}}\n',
    'middle.yaml': 'extends: base.yaml\nseed: 7\nadapters: [{method: initial-state}]\ntrain: {epochs: 3}\n',
    'packaged.yaml': 'extends: quickstart\nseed: 1\n',
    'round.yaml': 'seed: 1\nextends: around.yaml\n',
    'around.yaml': 'extends: round.yaml\n',
    'missing.yaml': 'seed: 1\nextends: gone.yaml\n',
    'wrong.yaml': 'train: {epochs: no}\nextends: wrong-base.yaml\n',
    'wrong-base.yaml': `${SMALLEST}train:\n  epochs: 1\n  bath_size: 2\n`,
    'number.yaml': 'extends: 3\n',
    'env.yaml': 'extends: base.yaml\noutput_dir: ${env:WORK}/runs/${env:NAME:-plain}-$${env:WORK}\n',
    'secret.yaml': 'extends: base.yaml\ninit_adapter: ${env:HF_TOKEN:-x}\n',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(inWork(name), text)
})

describe('extends', () => {
  test('lays mappings over each other key by key, replaces lists, and own values win, over several files', async () => {
    const {recipe} = await loadRecipe(inWork('deep/own.yaml'))
    expect(recipe).toMatchObject({
      adapters: [{method: 'initial-state'}],
      data: {train: 'rows.jsonl'},
      seed: 7,
      train: {epochs: 3, optimizer: {learning_rate: 1e-4, weight_decay: 0.5}},
    })
    expect(recipe.adapters).toHaveLength(1)
    expect((await loadRecipe(inWork('deep/own.yaml'), ['train.epochs=9'])).recipe.train.epochs).toBe(9)
  })

  test('takes a recipe that comes with mambatune by its name', async () => {
    expect((await loadRecipe(inWork('packaged.yaml'))).recipe).toMatchObject({seed: 1, train: {max_steps: 80}})
  })

  test('refuses circles, files that are not there, and what is no name, at their place', async () => {
    expect(await faultsOf('round.yaml')).toEqual([
      'around.yaml:1:10  extends: goes in a circle: round.yaml → around.yaml → round.yaml',
    ])
    expect(await faultsOf('missing.yaml')).toEqual([
      expect.stringMatching(/^missing\.yaml:2:10 {2}extends: There is no recipe file gone\.yaml\./),
    ])
    expect(await faultsOf('number.yaml')).toEqual([expect.stringMatching(/^number\.yaml:1:10 .*expected the name/)])
  })

  test('finds faults in the file that they were written in', async () => {
    expect(await faultsOf('wrong.yaml')).toEqual([
      expect.stringMatching(/^wrong\.yaml:1:17 {2}train\.epochs: expected a number/),
      'wrong-base.yaml:8:3  train.bath_size: unknown key. Did you mean train.batch_size?',
    ])
  })

  test('makes nothing required for editors, and says so only there', () => {
    expect(editorJsonSchema()).toMatchObject({
      else: {properties: {data: {required: ['train']}}, required: ['version', 'model', 'adapters', 'data']},
      if: {required: ['extends']},
    })
    expect(editorJsonSchema()).not.toHaveProperty('required')
  })
})

describe('the environment', () => {
  test('is put into texts; a default stands in; a doubled sign means itself, there and back', async () => {
    const {recipe} = await loadRecipe(inWork('env.yaml'), [], {NAME: '', WORK: '/w'})
    expect(recipe.output_dir).toBe('/w/runs/plain-${env:WORK}')
    await writeFile(inWork('resolved.yaml'), resolvedYaml(recipe))
    expect((await loadRecipe(inWork('resolved.yaml'))).recipe).toEqual(recipe)
  })

  test('lacks a variable, or has one that looks secret: a fault at its place, and no value in it', async () => {
    expect(await faultsOf('env.yaml')).toEqual([
      expect.stringMatching(/^env\.yaml:2:13 {2}output_dir: the environment has no variable WORK/),
    ])
    const [fault] = await faultsOf('secret.yaml', {HF_TOKEN: 'hf_abc'})
    expect(fault).toMatch(/^secret\.yaml:2:15 {2}init_adapter: HF_TOKEN is named like a secret/)
    expect(fault).not.toContain('hf_abc')
  })
})

test('two recipes differ in what would be done otherwise, and it is told what changes numbers', () => {
  const first = parseRecipe(SMALLEST, 'a.yaml')
  const second = parseRecipe(`${SMALLEST}seed: 1\noutput_dir: other\n`, 'b.yaml')
  expect(compareRecipes(first, second)).toEqual([
    {first: '42', key: 'seed', matters: true, second: '1'},
    {first: '"runs/out"', key: 'output_dir', matters: false, second: '"other"'},
  ])
  expect(compareRecipes(first, parseRecipe(`${SMALLEST}seed: 42\n`, 'c.yaml'))).toEqual([])
})

test('another validation file changes no number, another share of rows held out does', () => {
  const validatedOn = (validation: string): ReturnType<typeof parseRecipe> =>
    parseRecipe(SMALLEST.replace('rows.jsonl', `rows.jsonl, validation: ${validation}`), 'a.yaml')
  const matters = (first: string, second: string): boolean[] =>
    compareRecipes(validatedOn(first), validatedOn(second)).map((change) => change.matters)
  expect(matters('a.jsonl', 'b.jsonl')).toEqual([false])
  expect(matters('5%', '10%')).toEqual([true])
  expect(matters('5%', 'null')).toEqual([true])
})

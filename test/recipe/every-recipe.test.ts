/** Every recipe that comes with mambatune, trained for a step on a model of its family that has one layer, and one through the program. */
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals'
import {readFile, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {type LanguageModel} from '../../src/model/language-model.js'
import {loadModel} from '../../src/model/load-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {type ParameterValues} from '../../src/peft/method.js'
import {readAdapter} from '../../src/peft/saved-adapter.js'
import {loadRecipe} from '../../src/recipe/load.js'
import {listRecipes} from '../../src/recipe/packaged.js'
import {type RunEvent} from '../../src/recipe/run-options.js'
import {runRecipe} from '../../src/recipe/run-recipe.js'
import {type Recipe} from '../../src/recipe/schema.js'
import {runCommand} from '../cli/run-command.js'
import {useBackend} from '../support/device.js'
import {jsonOf} from '../support/runs.js'
import {type Family, writeSmallModel} from '../support/small-model.js'
import {workDirectory} from '../support/work-directory.js'

const recipes = await listRecipes()
const inWork = workDirectory()
const models = new Map<string, LanguageModel>()

beforeAll(async () => {
  await useBackend('wasm')
  for (const family of ['falcon-mamba', 'mamba', 'mamba2'] as const) {
    const directory = await writeSmallModel(inWork(family), family)
    models.set(directory, await loadModel(await openModelDirectory(directory)))
  }
  for (const name of ['definitions.train.jsonl', 'kjv.train.txt']) {
    const lines = (await readFile(path.join('data', name), 'utf8')).split('\n')
    await writeFile(inWork(name), `${lines.slice(0, 4).join('\n')}\n`)
  }
})

afterAll(() => models.forEach(({weights}) => weights.dispose()))

const familyOf = (base: string): Family => {
  if (base.includes('falcon')) return 'falcon-mamba'
  return /mamba2|Codestral/.test(base) ? 'mamba2' : 'mamba'
}

/** The recipe's own model family, adapters, optimizer and schedule; what makes it long is cut. */
async function shortened(name: string): Promise<string[]> {
  const {recipe} = await loadRecipe(path.join('recipes', `${name}.yaml`))
  const {adapters, data, model} = recipe
  const phased = adapters.flatMap(({method}, index) => (method === 'sparse-dimension' ? [index] : []))
  return [
    `model.base=${inWork(familyOf(model.base))}`,
    `output_dir=${inWork('runs', name)}`,
    `data.train=${inWork(path.basename([data.train].flat()[0]))}`,
    'data.validation=null',
    'data.max_length=24',
    `train.max_steps=${1 + phased.length}`,
    'train.batch_size=1',
    'checkpoints.every=null',
    'logging.report=false',
    ...phased.map((index) => `adapters.${index}.warmup_steps=1`),
  ]
}

const equal = (a: ParameterValues, b: ParameterValues | undefined): boolean =>
  b !== undefined && a.values.length === b.values.length && a.values.every((value, index) => value === b.values[index])

/** The entries of `adapters` of which some tensor is not what it was before the first step. */
async function movedEntries(recipe: Recipe, adapter: string): Promise<number[]> {
  const model = models.get(recipe.model.base)
  if (!model) throw new Error(`${recipe.model.base} was not written`)
  const fresh = await AdapterSet.createFor(recipe.adapters, model, recipe.seed)
  try {
    const before = await fresh.values()
    const after = [...(await readAdapter(adapter)).values]
    const moved = after.filter(([name, values]) => !equal(values, before.get(name)))
    return [...new Set(moved.map(([name]) => Number(name.split('.')[1])))].sort()
  } finally {
    fresh.dispose()
  }
}

describe.each(recipes)('recipe $name', ({file, name}) => {
  test('trains, with a finite loss, and moves every adapter', async () => {
    const {recipe} = await loadRecipe(file, await shortened(name))
    const events: RunEvent[] = []
    const {adapter} = await runRecipe({device: 'cpu', recipe, report: (event) => events.push(event)})
    const steps = events.flatMap((event) => (event.event === 'step' ? [event] : []))
    expect(steps).toHaveLength(recipe.train.max_steps ?? 0)
    expect(steps.filter(({grad_norm: norm, loss}) => !(loss > 0 && loss < 20 && norm > 0 && norm < Infinity))).toEqual(
      [],
    )
    expect(await movedEntries(recipe, adapter)).toEqual(recipe.adapters.map((_, index) => index))
  })
})

test('a preset trains through the program, by its name', async () => {
  const sets = (await shortened('mamba2-2.7b-lora')).flatMap((change) => ['--set', change])
  const trained = await runCommand([
    'train',
    'mamba2-2.7b-lora',
    ...sets,
    '--out',
    inWork('by-name'),
    '--device',
    'cpu',
    '--json',
  ])
  expect(jsonOf(trained)).toMatchObject({steps: 1, trainable_parameters: 16 * (256 + 1168)})
})

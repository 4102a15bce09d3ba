import {describe, expect, test} from '@jest/globals'
import {access, mkdir, readFile, writeFile} from 'node:fs/promises'
import {basename, isAbsolute, resolve} from 'node:path'

import {parseHubName} from '../../src/checkpoint/hub/hub-name.js'
import {FileError} from '../../src/errors.js'
import {loadRecipe, parseRecipe} from '../../src/recipe/load.js'
import {findRecipe, listRecipes, packagedRecipes} from '../../src/recipe/packaged.js'
import {runCommand} from '../cli/run-command.js'
import {workDirectory} from '../support/work-directory.js'

const recipes = await listRecipes()
const root = resolve(packagedRecipes, '..')
const inWork = workDirectory()

/** A name on the hub, as the presets have; every other recipe names a model that ships. */
const isOfHub = (base: string): boolean => !base.startsWith('models/')

test('the packaged recipes are listed by name, each with its model and a title of its own', () => {
  expect(recipes.filter(({model}) => !isOfHub(model)).map(({name}) => name)).toEqual([
    'additional-scan',
    'bitfit',
    'definitions-lora',
    'delta-scale',
    'dora',
    'full',
    'lora-all-projections',
    'mamba2-definitions',
    'prodial',
    'quickstart',
    'sparse-dimension',
    'ssm-only',
    'state-offset',
    'text-kjv',
    'vera',
  ])
  expect(recipes.filter(({model}) => isOfHub(model))).toHaveLength(36)
  expect(new Set(recipes.map(({title}) => title).filter((title) => title.length > 20)).size).toBe(recipes.length)
})

test('each writes to a directory of its own, and is listed under its model', async () => {
  const loaded = await Promise.all(recipes.map(({file}) => loadRecipe(file)))
  expect(new Set(loaded.map(({recipe}) => recipe.output_dir)).size).toBe(recipes.length)
  expect(recipes.map(({model}) => model)).toEqual(loaded.map(({recipe}) => recipe.model.base))
})

/** A recipe with its values filled in, as a command sees it in a directory. */
async function shownIn(directory: string, recipe: string): Promise<unknown> {
  const {code, stdout} = await runCommand(['recipe', 'show', recipe, '--resolved'], {cwd: inWork(directory)})
  expect(code).toBe(0)
  return parseRecipe(stdout, 'shown')
}

test('one that is named in any directory finds the models and data that come with it', async () => {
  await mkdir(inWork('empty/data'), {recursive: true})
  await writeFile(inWork('empty/data/kjv.validation.txt'), 'mine')
  expect(await shownIn('empty', 'text-kjv')).toMatchObject({
    data: {train: resolve(root, 'data/kjv.train.txt'), validation: 'data/kjv.validation.txt'},
    model: {base: resolve(root, 'models/tiny-mamba')},
  })
})

test('one that a recipe elsewhere extends finds them too', async () => {
  await mkdir(inWork('other'), {recursive: true})
  await writeFile(inWork('other/mine.yaml'), 'extends: text-kjv\nseed: 2\n')
  expect(await shownIn('other', './mine.yaml')).toMatchObject({
    data: {train: resolve(root, 'data/kjv.train.txt')},
    model: {base: resolve(root, 'models/tiny-mamba')},
    seed: 2,
  })
})

describe.each(recipes)('recipe $name', ({file, name}) => {
  test('is valid, its files are in the package, and its model too or on the hub', async () => {
    const {recipe} = await loadRecipe(file)
    const {base} = recipe.model
    if (isOfHub(base)) expect(parseHubName(base)).toMatchObject({revision: 'main'})
    const named = [isOfHub(base) ? [] : base, recipe.data.train, recipe.data.validation ?? []].flat()
    await Promise.all(named.map((path) => access(resolve(root, path))))
    expect(named.filter((path) => isAbsolute(path))).toEqual([])
  })

  test('opens with its title and its command, and says of every number why', async () => {
    const lines = (await readFile(file, 'utf8')).split('\n')
    expect(lines[0]).toMatch(/^# \w/)
    const named = recipes.some(({model, name: other}) => other === name && isOfHub(model))
    expect(lines.slice(0, 8)).toContain(`#   mambatune train ${named ? name : `recipes/${basename(file)}`}`)
    const numbers = lines.filter((line) => /^\s*(- )?\w+: (\[[\d., ]+\]|[\d.]+(e-?\d+)?)\s*(#|$)/.test(line))
    expect(numbers.length).toBeGreaterThan(12)
    expect(numbers.filter((line) => !/# \S+ \S+/.test(line))).toEqual([])
  })

  test('can be found by its name and by its path', async () => {
    expect(await findRecipe(name)).toBe(file)
    expect(await findRecipe(`recipes/${name}.yaml`)).toBe(`recipes/${name}.yaml`)
  })
})

describe('findRecipe', () => {
  test('takes anything that looks like a path as one', async () => {
    expect(await findRecipe('./quickstart')).toBe('./quickstart')
    expect(await findRecipe('mine.yml')).toBe('mine.yml')
  })

  test('offers the nearest name for one that is not there, or the list', async () => {
    await expect(findRecipe('quikstart')).rejects.toMatchObject({exit: 4, hint: 'the name quickstart'})
    await expect(findRecipe('whatever')).rejects.toMatchObject({
      hint: expect.stringContaining('mambatune recipe list, for all 51 of them'),
    })
    await expect(findRecipe('whatever')).rejects.toBeInstanceOf(FileError)
  })
})

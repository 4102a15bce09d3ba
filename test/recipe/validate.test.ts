import {afterAll, beforeAll, expect, test} from '@jest/globals'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {FileError, RecipeError} from '../../src/errors.js'
import {validateRecipes} from '../../src/recipe/validate.js'
import {SMALLEST} from './faults-of.js'

let folder: string
let good: string
let bad: string
let worse: string
let missing: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recipe-'))
  ;[good, bad, worse, missing] = ['good', 'bad', 'worse', 'missing'].map((name) => join(folder, `${name}.yaml`))
  await writeFile(good, SMALLEST)
  await writeFile(bad, `${SMALLEST}sede: 1\n`)
  await writeFile(worse, `${SMALLEST}seed: x\nfoo: 1\n`)
})

afterAll(() => rm(folder, {recursive: true}))

test('recipes that are right are returned in the order given, by path or by name', async () => {
  const loaded = await validateRecipes([good, 'quickstart'], ['seed=5'])
  expect(loaded.map(({recipe}) => [recipe.seed, recipe.data.train])).toEqual([
    [5, 'rows.jsonl'],
    [5, 'data/definitions.train.jsonl'],
  ])
})

test('the faults of all files are in one error, with exit code 3 even if another file is missing', async () => {
  const error: unknown = await validateRecipes([bad, good, missing, worse]).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(RecipeError)
  expect(error).toMatchObject({exit: 3, message: '3 of 4 recipes cannot be used.'})
  expect((error as RecipeError).faults.map(({where}) => where)).toEqual([
    `${bad}:6:1`,
    '',
    `${worse}:6:7`,
    `${worse}:7:1`,
  ])
})

test('a wrong --set is reported once, not once per file', async () => {
  const error: unknown = await validateRecipes([good, 'quickstart'], ['sede=1']).catch((thrown: unknown) => thrown)
  expect((error as RecipeError).faults).toEqual([
    {message: 'sede: unknown key. Did you mean seed?', where: '--set sede'},
  ])
})

test('a file that is not there is a file error', async () => {
  await expect(validateRecipes([missing])).rejects.toBeInstanceOf(FileError)
  await expect(validateRecipes([missing, join(folder, 'other.yaml')])).rejects.toMatchObject({exit: 4})
})

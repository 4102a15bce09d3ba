import {expect, test} from '@jest/globals'
import {readFileSync} from 'node:fs'
import {withRecipeReference} from '../../scripts/write-recipe-reference.mjs'
import {recipeJsonSchema} from '../../src/recipe/json-schema.js'

const document = readFileSync('docs/recipe.md', 'utf8')

/** Mends itself with: npm run build && node scripts/write-recipe-reference.mjs */
test('docs/recipe.md says what the JSON schema says', () => {
  expect(document).toBe(withRecipeReference(document, recipeJsonSchema()))
})

test('every key of the schema has its row, with default and meaning', () => {
  for (const row of [
    /^\| `seed` +\| whole number from 0 to 4294967295 +\| `42` +\| Seed of every random choice/m,
    /^\| `adapters.N.targets` +\| list of text +\| required +\| Projections/m,
    /^\| `train.optimizer.betas` +\| list of 2: number from 0 below 1 +\| `\[0.9, 0.999\]` +\| Share/m,
    /^\| `eval.every` +\| number above 0, whole from 1 on +\| `0.25` +\| How often/m,
  ]) {
    expect(document).toMatch(row)
  }
})

test('a change of the schema makes the document stale', () => {
  const schema = {properties: {seed: {default: 7, description: 'Another meaning.', minimum: 0, type: 'integer'}}}
  const changed = withRecipeReference(document, schema)
  expect(changed).not.toBe(document)
  expect(changed).toMatch(/^\| `seed` \| whole number from 0 \| `7` {5}\| Another meaning. \|$/m)
})

test('a document without its marks is refused', () => {
  expect(() => withRecipeReference('# Recipe', recipeJsonSchema())).toThrow('has lost its marks')
})

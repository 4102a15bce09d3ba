import {expect, test} from '@jest/globals'
import {openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {RecipeError} from '../../src/errors.js'
import {configOf} from '../../src/model/model-files.js'
import {checkPacking} from '../../src/recipe/check-packing.js'
import {parseRecipe} from '../../src/recipe/load.js'
import {goldenPath} from '../support/golden.js'

test.each([
  ['mamba2', 'gpu', true, true],
  ['mamba2', 'gpu', false, false],
  ['mamba2', 'cpu', true, false],
  ['mamba1', 'gpu', true, false],
  ['falcon-mamba', 'gpu', true, false],
] as const)('%s on %s with packing: %s is refused: %s', async (model, name, packing, refused) => {
  const config = configOf(await openModelDirectory(goldenPath(model)))
  const text = `version: 1\nmodel: {base: m}\nadapters: [{method: initial-state}]\ndata: {train: rows.jsonl, packing: ${packing}}\n`
  const check = (): void => checkPacking(parseRecipe(text, 'r.yaml'), config, {name})
  if (refused) expect(check).toThrow(RecipeError)
  else expect(check).not.toThrow()
})

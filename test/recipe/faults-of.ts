/** Shared by the recipe tests: the smallest recipe, and the faults of a text as `where  message` lines. */
import {RecipeError} from '../../src/errors.js'
import {parseRecipe} from '../../src/recipe/load.js'

export const SMALLEST = `version: 1
model: {base: models/tiny-mamba}
adapters:
  - {method: lora, targets: [in_proj]}
data: {train: rows.jsonl}
`

/** Empty if the recipe is right. */
export function faultsOfText(text: string, overrides: readonly string[] = []): string[] {
  try {
    parseRecipe(text, 'r.yaml', overrides)
    return []
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error
    return error.faults.map(({message, where}) => `${where}  ${message}`)
  }
}

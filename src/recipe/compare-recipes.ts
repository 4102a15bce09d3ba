/** What differs between two recipes once every default is filled in: `mambatune recipe diff`. */
import {isNeutral, leaves} from './recipe-difference.js'
import {type Recipe} from './schema.js'
import {validationShare} from './validation-share.js'

export interface RecipeChange {
  readonly key: string
  /** As JSON; null where the key is absent */
  readonly first: string | null
  readonly second: string | null
  /** Whether the trained numbers may differ for it */
  readonly matters: boolean
}

/** In the order of the first recipe; keys that only the second has come last. */
export function compareRecipes(first: Recipe, second: Recipe): RecipeChange[] {
  const [before, after] = [first, second].map((recipe) => new Map(leaves(recipe, [])))
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => ({
      first: before.get(key) ?? null,
      key,
      matters: !isNeutral(key) || (key === 'data.validation' && trainOnOtherRows(first, second)),
      second: after.get(key) ?? null,
    }))
}

/** Rows that are held out are not trained on. */
function trainOnOtherRows(first: Recipe, second: Recipe): boolean {
  return validationShare(first.data.validation) !== validationShare(second.data.validation)
}

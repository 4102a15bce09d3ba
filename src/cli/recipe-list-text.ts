/**
 * The recipes that come with mambatune, as people read them: those for shipped models first, then those for models of the hub, a heading for
 * each model, the smaller models of a family first.
 */
import {type RecipeSummary} from '../recipe/packaged.js'
import {formatTable} from './table.js'

/** Models that ship lie in a directory of this name. */
const SHIPPED = /^models\//

/** Lines without a last line break. */
export function recipeListText(recipes: readonly RecipeSummary[]): string {
  const width = Math.max(0, ...recipes.map(({name}) => name.length))
  const groups = modelsOf(recipes).map((model) => {
    const rows = recipes.filter((recipe) => recipe.model === model)
    const table = formatTable(
      rows.map(({name, title}) => [name.padEnd(width), title]),
      {indent: 2},
    )
    return `${SHIPPED.test(model) ? model : `${model}, from the hub`}\n${table}`
  })
  return groups.join('\n\n')
}

function modelsOf(recipes: readonly RecipeSummary[]): string[] {
  const key = (model: string): readonly [number, string, number] => {
    const [family, size] = familyAndSize(model)
    return [SHIPPED.test(model) ? 0 : 1, family, size]
  }
  return [...new Set(recipes.map(({model}) => model))].sort((a, b) => {
    const [one, other] = [key(a), key(b)]
    const difference = one[0] - other[0] || (one[1] < other[1] ? -1 : Number(one[1] > other[1]))
    return difference || one[2] - other[2] || (a < b ? -1 : 1)
  })
}

/** 'mamba2-1.3b' → 'mamba2' and 1300; without a size, the name and 0 */
function familyAndSize(model: string): readonly [string, number] {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  const [, family = name, number = '0', unit = 'm'] = /^(.*?)-(\d+(?:\.\d+)?)([mb])(?![a-z])/.exec(name) ?? []
  return [family, Number(number) * (unit === 'b' ? 1000 : 1)]
}

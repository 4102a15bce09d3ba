/**
 * From a recipe file, or its text, to a checked recipe with every value filled in.
 * Everything that is wrong with it, in the file and in the overrides, is in one `RecipeError`, from the top of the file to its end.
 * Nothing that the recipe names is opened here, and its paths are kept as written, relative to the current directory, but for
 * what comes with mambatune (packaged-files.ts).
 */
import {RecipeError} from '../errors.js'
import {describeIssue} from './describe-issue.js'
import {type Environment, interpolate} from './environment.js'
import {readExtended} from './extend.js'
import {faultsOf} from './faults.js'
import {applyOverrides} from './override.js'
import {withPackagedFiles} from './packaged-files.js'
import {dotted} from './paths.js'
import {inOrder, type PlacedFault} from './places.js'
import {readYamlFile, type ReadYaml, type RecipeDocument} from './read-yaml.js'
import {brokenRules} from './rules.js'
import {type Recipe, recipeSchema} from './schema.js'
import {replaceYesAndNo} from './yes-and-no.js'

export interface LoadedRecipe {
  readonly recipe: Recipe
  /** The file as it was named. */
  readonly file: string
}

/**
 * Reads and checks a recipe file and what it extends; `overrides` are `key.path=value`, as after `--set`. References to the environment
 * are looked up in `environment`: without one, none is set.
 */
export async function loadRecipe(
  file: string,
  overrides: readonly string[] = [],
  environment: Environment = {},
): Promise<LoadedRecipe> {
  const read = await readExtended(file, environment)
  return {file, recipe: withPackagedFiles(finish(read, file, overrides, environment), read.files)}
}

/** Checks the text of a recipe, which extends none; `label` names it in messages. */
export function parseRecipe(text: string, label: string, overrides: readonly string[] = []): Recipe {
  return finish(readYamlFile(text, label), label, overrides, {})
}

function finish(
  {broken, document, faults}: ReadYaml,
  label: string,
  overrides: readonly string[],
  environment: Environment,
): Recipe {
  const overrideFaults = applyOverrides(document, overrides)
  if (broken) throw recipeError(label, [...faults, ...overrideFaults])

  const ofEnvironment = interpolate(document, environment)
  const checked = check(document)
  const all = [...faults, ...overrideFaults, ...ofEnvironment, ...checked.faults]
  if (checked.recipe === undefined || all.length > 0) throw recipeError(label, all)
  return checked.recipe
}

function check(document: RecipeDocument): {recipe: Recipe | undefined; faults: PlacedFault[]} {
  const parse = (): ReturnType<typeof recipeSchema.safeParse> =>
    recipeSchema.safeParse(document.value, {error: describeIssue})
  let result = parse()
  while (!result.success && replaceYesAndNo(document.value, result.error.issues)) result = parse()

  const ofRules = brokenRules(document.value).map(({message, path}) => ({
    message: `${dotted(path)}: ${message}`,
    place: document.places.ofValue(path),
  }))
  const ofSchema = result.success ? [] : faultsOf(recipeSchema, result.error.issues, document)
  return {faults: [...ofSchema, ...ofRules], recipe: result.data}
}

function recipeError(label: string, faults: readonly PlacedFault[]): RecipeError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`
  return new RecipeError(`The recipe ${label} has ${count}.`, {
    faults: inOrder(faults),
    hint: 'mambatune recipe schema, for every key with its meaning and default',
  })
}

/** Checks several recipe files and reports what is wrong with all of them at once. */
import {type Fault, FileError, RecipeError} from '../errors.js'
import {type Environment} from './environment.js'
import {type LoadedRecipe, loadRecipe} from './load.js'
import {findRecipe} from './packaged.js'

/** Loads every recipe, given by path or name; throws one error that holds the faults of all. */
export async function validateRecipes(
  namesOrPaths: readonly string[],
  overrides: readonly string[] = [],
  environment: Environment = {},
): Promise<LoadedRecipe[]> {
  const loaded: LoadedRecipe[] = []
  const errors: (FileError | RecipeError)[] = []
  for (const nameOrPath of namesOrPaths) {
    try {
      loaded.push(await loadRecipe(await findRecipe(nameOrPath), overrides, environment))
    } catch (error) {
      if (!(error instanceof RecipeError || error instanceof FileError)) throw error
      errors.push(error)
    }
  }

  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) throw together(errors, namesOrPaths.length)
  return loaded
}

/** A recipe error if any of them is one: a file that is not there is then one fault among the others. */
function together(errors: readonly (FileError | RecipeError)[], total: number): FileError | RecipeError {
  const faults = errors.flatMap((error): readonly Fault[] =>
    error.faults.length > 0 ? error.faults : [{message: error.message, where: ''}],
  )
  const hint = errors.find((error) => error.hint !== undefined)?.hint
  const details = {faults: unique(faults), ...(hint === undefined ? {} : {hint})}
  const message = `${errors.length} of ${total} recipes cannot be used.`
  return errors.some((error) => error instanceof RecipeError)
    ? new RecipeError(message, details)
    : new FileError(message, details)
}

/** A wrong `--set` is the same fault for every file. */
function unique(faults: readonly Fault[]): Fault[] {
  return [...new Map(faults.map((fault) => [`${fault.where}\n${fault.message}`, fault])).values()]
}

/**
 * From a recipe file, or its text, to a checked recipe with every value filled in.
 * Everything that is wrong with it, in the file and in the overrides, is in one `RecipeError`, from the top of the file to its end.
 * Nothing that the recipe names is opened here, and its paths are kept as written: relative to the current directory.
 */
import {type FileHandle, open} from 'node:fs/promises'

import {FileError, RecipeError} from '../errors.js'
import {describeIssue} from './describe-issue.js'
import {faultsOf} from './faults.js'
import {applyOverrides} from './override.js'
import {dotted} from './paths.js'
import {inOrder, type PlacedFault} from './places.js'
import {readYamlFile, type RecipeDocument} from './read-yaml.js'
import {brokenRules} from './rules.js'
import {type Recipe, recipeSchema} from './schema.js'
import {replaceYesAndNo} from './yes-and-no.js'

/** Bytes. The largest recipe we ship has 3 kB; more than this is some other file, given by mistake. */
const MAX_FILE_SIZE = 256 * 1024

export interface LoadedRecipe {
  readonly recipe: Recipe
  /** The file as it was named. */
  readonly file: string
}

/** Reads and checks a recipe file; `overrides` are `key.path=value`, as after `--set`. */
export async function loadRecipe(file: string, overrides: readonly string[] = []): Promise<LoadedRecipe> {
  return {file, recipe: parseRecipe(await readRecipeText(file), file, overrides)}
}

/** Checks the text of a recipe; `label` names it in messages. */
export function parseRecipe(text: string, label: string, overrides: readonly string[] = []): Recipe {
  const {broken, document, faults} = readYamlFile(text, label)
  const overrideFaults = applyOverrides(document, overrides)
  if (broken) throw recipeError(label, [...faults, ...overrideFaults])

  const checked = check(document)
  const all = [...faults, ...overrideFaults, ...checked.faults]
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

/** The text of a recipe file, or a `FileError` that says why there is none. */
export async function readRecipeText(file: string): Promise<string> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file)
    const information = await handle.stat()
    if (!information.isFile()) {
      throw notARecipe(file, information.isDirectory() ? 'it is a directory' : 'it is not a plain file')
    }
    if (information.size > MAX_FILE_SIZE) {
      throw notARecipe(file, `it has ${information.size} bytes, and a recipe at most ${MAX_FILE_SIZE}`)
    }
    return decode(await handle.readFile(), file)
  } catch (error) {
    if (error instanceof FileError) throw error
    throw unreadable(file, error)
  } finally {
    await handle?.close()
  }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch (error) {
    throw new FileError(`${file} is no recipe: it is not UTF-8 text.`, {cause: error, hint: NAMES_HINT})
  }
}

const NAMES_HINT = 'mambatune recipe list, for the recipes that can be given by name'

function notARecipe(file: string, reason: string): FileError {
  return new FileError(`${file} is no recipe: ${reason}.`, {hint: NAMES_HINT})
}

function unreadable(file: string, error: unknown): FileError {
  const {code, message} = error as Partial<NodeJS.ErrnoException>
  const text =
    code === 'ENOENT' ? `There is no recipe file ${file}.` : `The recipe file ${file} cannot be read: ${message}`
  return new FileError(text, {cause: error, hint: NAMES_HINT})
}

function recipeError(label: string, faults: readonly PlacedFault[]): RecipeError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`
  return new RecipeError(`The recipe ${label} has ${count}.`, {
    faults: inOrder(faults),
    hint: 'mambatune recipe schema, for every key with its meaning and default',
  })
}

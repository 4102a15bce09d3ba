/**
 * The recipes that come with mambatune, in the folder `recipes` of the package. Each can be given by its name instead of a path.
 * The first comment line of a recipe is its title.
 */
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {FileError} from '../errors.js'
import {nearestName} from '../nearest-name.js'
import {readRecipeText} from './recipe-text.js'

/** Where mambatune itself lies: the same distance from the source as from the built package. */
export const packageDirectory: string = fileURLToPath(new URL('../../', import.meta.url))

export const packagedRecipes: string = join(packageDirectory, 'recipes/')

const EXTENSION = /\.ya?ml$/

export interface RecipeSummary {
  readonly name: string
  /** The first comment line. */
  readonly title: string
  /** Its model.base */
  readonly model: string
  readonly file: string
}

/** The recipes of a folder, by name. */
export async function listRecipes(directory: string = packagedRecipes): Promise<RecipeSummary[]> {
  const names = await recipeFiles(directory)
  return Promise.all(
    names.map(async (name) => {
      const file = join(directory, name)
      const text = await readRecipeText(file)
      return {file, model: modelOf(text), name: name.replace(EXTENSION, ''), title: titleOf(text)}
    }),
  )
}

/** The file that is meant by a path or by the name of a packaged recipe. A path is returned as it is, whether it exists or not. */
export async function findRecipe(nameOrPath: string): Promise<string> {
  if (/[/\\]/.test(nameOrPath) || EXTENSION.test(nameOrPath)) return nameOrPath
  const recipes = await recipeFiles(packagedRecipes)
  const found = recipes.find((file) => file.replace(EXTENSION, '') === nameOrPath)
  if (found !== undefined) return join(packagedRecipes, found)

  const names = recipes.map((file) => file.replace(EXTENSION, ''))
  const near = nearestName(nameOrPath, names)
  throw new FileError(`There is no recipe named ${JSON.stringify(nameOrPath)}.`, {
    hint:
      near === undefined
        ? `mambatune recipe list, for all ${names.length} of them, or a path such as ./${nameOrPath}.yaml`
        : `the name ${near}`,
  })
}

/** The file that a recipe is written to: with an ending, since a bare name is looked up among the packaged ones. */
export function recipeFileName(name: string): string {
  return EXTENSION.test(name) ? name : `${name}.yaml`
}

async function recipeFiles(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory)
    return entries.filter((entry) => EXTENSION.test(entry)).sort()
  } catch (error) {
    throw new FileError(`The folder of recipes ${directory} cannot be read.`, {
      cause: error,
      hint: 'install mambatune again',
    })
  }
}

function titleOf(text: string): string {
  const comment = /^\s*#\s*(.*\S)\s*$/m.exec(text)
  return comment?.[1] ?? ''
}

/** Looked up in the lines: reading dozens of files as YAML takes half a second, which the shell's completion has not. */
function modelOf(text: string): string {
  const section = /^model:\n((?: .*\n)+)/m.exec(text)?.[1] ?? ''
  return /^ +base: *(\S+)/m.exec(section)?.[1] ?? ''
}

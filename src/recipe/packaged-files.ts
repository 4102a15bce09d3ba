/**
 * Recipes that come with mambatune name models and data that come with it too: `models/tiny-mamba`, `data/kjv.train.txt`. Where the
 * directory in which a command is run has no such file, the one of the package is meant; in a recipe that extends one of them too.
 */
import {existsSync} from 'node:fs'
import path from 'node:path'
import {packageDirectory, packagedRecipes} from './packaged.js'
import {type Recipe} from './schema.js'

/** The recipe of a file and those that it extends; where none of them is a packaged one it stays as it is. */
export function withPackagedFiles(recipe: Recipe, files: readonly string[]): Recipe {
  if (!files.some((file) => path.resolve(path.dirname(file)) === path.resolve(packagedRecipes))) return recipe
  const {data, model} = recipe
  return {
    ...recipe,
    data: {
      ...data,
      train: Array.isArray(data.train) ? data.train.map(placed) : placed(data.train),
      validation: Array.isArray(data.validation)
        ? data.validation.map(placed)
        : data.validation && placed(data.validation),
    },
    model: {...model, base: placed(model.base), tokenizer: model.tokenizer && placed(model.tokenizer)},
  }
}

function placed(name: string): string {
  if (!/^(?:models|data)\//.test(name) || existsSync(name)) return name
  const inPackage = path.join(packageDirectory, name)
  return existsSync(inPackage) ? inPackage : name
}

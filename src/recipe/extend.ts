/**
 * `extends: FILE`: a recipe that begins with another one. Mappings are laid over each other key by key, everything else (lists too) is
 * replaced, and what the recipe says itself wins. The file is named as seen from the recipe that names it, or is one that comes with
 * mambatune, by name. A recipe that is extended may extend another. Each value keeps the place where it was written.
 */
import path from 'node:path'

import {FileError} from '../errors.js'
import {type Environment, interpolatedText} from './environment.js'
import {findRecipe} from './packaged.js'
import {setOwn, valueAt} from './paths.js'
import {type PlacedFault, Places} from './places.js'
import {type ReadYaml, readYamlFile} from './read-yaml.js'
import {readRecipeText} from './recipe-text.js'

export const EXTENDS = 'extends'

/** Offsets of one file stay below this; faults of what is extended come after those of the recipe. */
const FILE_SPAN = 2 ** 20

export interface ReadExtended extends ReadYaml {
  /** The recipe's own file and those that it extends. */
  readonly files: readonly string[]
}

/** Reads a recipe and all that it extends as one document. Errors: FileError for the recipe itself; the rest are faults. */
export async function readExtended(
  file: string,
  environment: Environment,
  above: readonly string[] = [],
): Promise<ReadExtended> {
  const own = {...readYamlFile(await readRecipeText(file), file, above.length * FILE_SPAN), files: [file]}
  const named = valueAt(own.document.value, [EXTENDS])
  if (own.broken || named === undefined) return own
  Reflect.deleteProperty(own.document.value as object, EXTENDS)
  const fault = (message: string): ReadExtended => ({
    ...own,
    faults: [...own.faults, {message: `${EXTENDS}: ${message}`, place: own.document.places.ofValue([EXTENDS])}],
    broken: true, // without what it extends, most of the recipe would seem to be missing
  })
  if (typeof named !== 'string' || named === '') return fault('expected the name or path of one recipe')

  const {problems, result} = interpolatedText(named, environment)
  if (problems.length > 0) return fault(problems.join('; '))
  const chain = [...above, file]
  try {
    const target = await locate(result, file)
    if (chain.some((known) => path.resolve(known) === path.resolve(target))) {
      return fault(`goes in a circle: ${[...chain, target].join(' → ')}`)
    }
    return over(own, await readExtended(target, environment, chain))
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    return fault(`${error.message}${error.hint === undefined ? '' : ` Try: ${error.hint}`}`)
  }
}

/** A path as seen from the recipe; a bare word is a recipe that comes with mambatune. */
async function locate(named: string, from: string): Promise<string> {
  const found = await findRecipe(named)
  return found !== named || path.isAbsolute(named) ? found : path.join(path.dirname(from), named)
}

function over(own: ReadExtended, base: ReadExtended): ReadExtended {
  const faults: PlacedFault[] = [...own.faults, ...base.faults]
  const files = [...own.files, ...base.files]
  if (base.broken) return {...base, faults, files}
  const value = merged(own.document.value, base.document.value)
  const isBoth = (at: readonly PropertyKey[]): boolean =>
    [own, base].every(({document}) => isMapping(valueAt(document.value, at)))
  return {
    broken: false,
    document: {places: Places.over(own.document.places, base.document.places, isBoth), value},
    faults,
    files,
  }
}

function merged(own: unknown, base: unknown): unknown {
  if (!isMapping(own) || !isMapping(base)) return own
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(base)) setOwn(result, key, value)
  for (const [key, value] of Object.entries(own)) {
    setOwn(result, key, Object.hasOwn(base, key) ? merged(value, base[key]) : value)
  }
  return result
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Finds the data that a command or a recipe names, and the place for rows that do not fit into memory. */
import {homedir} from 'node:os'
import path from 'node:path'
import {type StorePlace} from '../data/row-store.js'
import {type DataPlace} from '../recipe/model-place.js'
import {type Recipe} from '../recipe/schema.js'
import {onHub} from './locate-model.js'
import {type Reporter} from './reporter.js'

export async function findData(recipe: Recipe, reporter: Reporter): Promise<DataPlace> {
  const {locateData} = await import('../recipe/locate-data.js')
  return onHub(reporter, (options) => locateData(recipe, storePlace().directory, options))
}

/** Paths and hub://… names as paths. */
export async function findDataFiles(names: readonly string[], reporter: Reporter): Promise<string[]> {
  const {locateFiles} = await import('../recipe/locate-data.js')
  return onHub(reporter, (options) => locateFiles(names, null, options))
}

/** MAMBATUNE_CACHE, or `mambatune` in the user's cache directory. */
export function storePlace(): StorePlace {
  const {MAMBATUNE_CACHE: own, XDG_CACHE_HOME: caches} = process.env
  return {directory: path.join(own || path.join(caches || path.join(homedir(), '.cache'), 'mambatune'), 'rows')}
}

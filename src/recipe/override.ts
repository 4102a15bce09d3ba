/**
 * `--set key.path=value`: changes to a recipe before it is judged, so that what a flag says and what the file says are checked together.
 * The value is YAML, as in the file. Whether a key exists is the schema's to say; here only what has no meaning at all is a fault.
 */
import {dotted, type Path, setOwn, valueAt} from './paths.js'
import {type Place, type PlacedFault} from './places.js'
import {type RecipeDocument, readYamlValue} from './read-yaml.js'

/** Behind everything that a file can hold, so that faults of flags are listed after those of the file. */
const AFTER_THE_FILE = 2 ** 40

/** Applies the overrides in their order; a later one wins. Changes the document and returns what could not be applied. */
export function applyOverrides(document: RecipeDocument, overrides: readonly string[]): PlacedFault[] {
  return overrides.flatMap((override, index) => applyOverride(document, override, AFTER_THE_FILE + index))
}

function applyOverride(document: RecipeDocument, override: string, order: number): PlacedFault[] {
  const equals = override.indexOf('=')
  const key = (equals === -1 ? override : override.slice(0, equals)).trim()
  const path = key.split('.')
  const place = {order, where: `--set ${key === '' ? override : key}`}
  if (path.includes('')) {
    return [{message: `${JSON.stringify(key)} names no key; write it like train.batch_size or adapters.0.rank`, place}]
  }

  if (equals === -1) return [{message: `${key}: no value; write --set ${key}=value`, place}]
  const read = readYamlValue(override.slice(equals + 1), place)
  if (read.faults.length > 0) return read.faults.map(({message}) => ({message: `${key}: ${message}`, place}))
  const obstacle = put(document, path, read.document.value, place)
  return obstacle === undefined ? [] : [{message: `${key}: ${obstacle}`, place}]
}

/** Writes the value and makes the mappings on the way to it. Returns what stands in the way, if anything does. */
function put(document: RecipeDocument, path: Path, value: unknown, place: Place): string | undefined {
  document.value ??= {}
  let parent = document.value
  for (const [depth, name] of path.entries()) {
    const here = path.slice(0, depth + 1)
    const obstacle = obstacleIn(parent, dotted(path.slice(0, depth)), String(name))
    if (obstacle !== undefined) return obstacle
    const last = depth === path.length - 1
    if (last || (valueAt(parent, [name]) ?? null) === null) {
      setOwn(parent as object, String(name), last ? value : {})
      document.places.set(here, place, place)
    }

    parent = valueAt(parent, [name])
  }

  return undefined
}

function obstacleIn(parent: unknown, parentKey: string, name: string): string | undefined {
  const label = parentKey === '' ? 'the recipe' : parentKey
  if (Array.isArray(parent)) {
    const fits = /^(0|[1-9]\d{0,8})$/.test(name) && Number(name) <= parent.length
    return fits
      ? undefined
      : `${label} is a list of ${parent.length}; write an index from 0 to ${parent.length} (${parent.length} appends)`
  }

  return typeof parent === 'object' && parent !== null
    ? undefined
    : `${label} is ${JSON.stringify(parent)}, which has no keys`
}

/**
 * Which files of a repository a model needs. Only names of this list are ever fetched, and shards that an index names plainly,
 * so that no name from the hub can lead out of the cache.
 */
import {FileError} from '../../errors.js'
import {quoted} from '../file-faults.js'
import {isObject, readJsonFile} from '../json-file.js'
import {WEIGHT_FILES} from '../model-directory.js'
import {isPlainFileName} from '../shard-index.js'
import {type HubFile} from './hub-api.js'

const BESIDE_THE_WEIGHTS: ReadonlySet<string> = new Set([
  'config.json',
  'generation_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer_config.json',
])

/** What makes text into tokens, for models that come without it. */
export const TOKENIZER_FILES: ReadonlySet<string> = new Set(['tokenizer.json', 'tokenizer_config.json'])

export type HubFiles = ReadonlyMap<string, HubFile>

/** The small files, and the one of weights or the index of several. Errors: FileError for a repository without a model. */
export function neededFiles(files: HubFiles, repository: string): {small: readonly HubFile[]; weights: HubFile} {
  const found = WEIGHT_FILES.map((name) => files.get(name)).find((file) => file !== undefined)
  const missing = [...(files.has('config.json') ? [] : ['config.json']), ...(found ? [] : ['weights'])]
  if (!found || missing.length > 0) {
    throw new FileError(`${repository} is no model that can be read: ${missing.join(' and ')} missing.`, {
      hint: `A model has config.json and one of ${WEIGHT_FILES.join(', ')}. Check the name.`,
    })
  }

  return {small: [...files.values()].filter(({path}) => BESIDE_THE_WEIGHTS.has(path)), weights: found}
}

/** The files of weights that an index names. Errors: FileError for names that are not plain, and for files that are missing. */
export async function shardsOf(indexFile: string, files: HubFiles, repository: string): Promise<readonly HubFile[]> {
  const {faults, object} = await readJsonFile(indexFile)
  const map = object?.weight_map
  if (!isObject(map)) throw new FileError(`The index of ${repository} cannot be read.`, {faults})
  const kind = indexFile.endsWith('.bin.index.json') ? 'bin' : 'safetensors'
  return [...new Set(Object.values(map))].map((name) => {
    const file = isPlainFileName(name, kind) ? files.get(name) : undefined
    if (file) return file
    const message = `the index names ${quoted(name)}, expected the plain name of a .${kind} file of the repository`
    throw new FileError(`${repository} is no model that can be read.`, {faults: [{message, where: repository}]})
  })
}

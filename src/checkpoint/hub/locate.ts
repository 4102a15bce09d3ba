/** Models and tokenizers that are given by path or by their name on the hub, as directories on this machine. */
import {stat} from 'node:fs/promises'
import path from 'node:path'

import {isFile} from '../weight-files.js'
import {fetchModel, fetchSmallFiles, fetchTokenizer, type HubOptions} from './hub-model.js'
import {parseHubName} from './hub-name.js'

/** The tokenizer that Mamba's authors trained their models with; their repositories come without one. */
export const USUAL_TOKENIZER = 'EleutherAI/gpt-neox-20b'

export interface LocatedModel {
  readonly directory: string
  /** What the model is called in files that outlive the cache: the path as it was given, or owner/name@commit */
  readonly name: string
  readonly fromHub: boolean
}

export interface LocateOptions extends HubOptions {
  /** Not the weights: config and tokenizer only */
  readonly small?: boolean
}

/** A path goes first; what is neither that nor a possible name on the hub is returned as it is. */
export async function locateModel(model: string, options: LocateOptions): Promise<LocatedModel> {
  const name = (await isPath(model)) ? null : parseHubName(model)
  if (!name) return {directory: model, fromHub: false, name: model}
  const {commit, directory} = await (options.small ? fetchSmallFiles : fetchModel)(name, options)
  return {directory, fromHub: true, name: `${name.repository}@${commit}`}
}

/**
 * The directory with the tokenizer: the given one, the model's own, or for a model of the hub that has none the usual one,
 * which is said. Nothing is fetched for a model on this machine unless a name on the hub is given.
 */
export async function locateTokenizer(
  {directory, fromHub, name}: LocatedModel,
  given: string | null,
  options: HubOptions,
): Promise<string> {
  if (given === null && (!fromHub || (await isFile(path.join(directory, 'tokenizer.json'))))) return directory
  if (given !== null && (await isPath(given))) return given
  const tokenizer = given ?? USUAL_TOKENIZER
  const onHub = parseHubName(tokenizer)
  if (!onHub) return tokenizer
  const fetched = await fetchTokenizer(onHub, options)
  if (given === null) {
    options.report?.({event: 'note', text: `${name} has no tokenizer; using that of ${USUAL_TOKENIZER}`})
  }
  return fetched.directory
}

/** `models/tiny` is a path where there is a directory `models`, even if it is misspelt: nobody is asked about it then. */
async function isPath(model: string): Promise<boolean> {
  return stat(model.split('/')[0] || '/').then(
    (status) => status.isDirectory(),
    () => false,
  )
}

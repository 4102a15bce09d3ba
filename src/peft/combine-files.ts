/** `mambatune adapter combine`: adapter directories → one, whole or not at all. */
import {fingerprintTensors, openModelDirectory} from '../checkpoint/model-directory.js'
import {type AdapterManifest} from '../checkpoint/adapter-manifest.js'
import {MambatuneError, MismatchError} from '../errors.js'
import {configOf} from '../model/model-files.js'
import {normEntry, normOf} from './base-norm.js'
import {combine, type CombinedSite, type WeightedAdapter} from './combine-adapters.js'
import {type ExportBase} from './export-format.js'
import {readAdapter, saveAdapter} from './saved-adapter.js'

export interface CombineOptions {
  readonly adapters: readonly {readonly directory: string; readonly weight: number}[]
  readonly out: string
  /** Cut every low-rank update to this rank; null keeps all. */
  readonly rank: number | null
  /** The model of the adapters, needed where none of them knows its fingerprint */
  readonly base?: ExportBase | undefined
}

export interface CombineReport {
  readonly out: string
  readonly adapters: readonly {readonly path: string; readonly weight: number}[]
  readonly base: string
  readonly tensors: number
  readonly trainable_parameters: number
  /** ‖what was cut‖ / ‖ΔW‖, of all sites together; 0 without a rank */
  readonly error: number
  readonly sites: readonly CombinedSite[]
}

/** Errors: FileError for damaged files, MismatchError for adapters of several models or without a sum. */
export async function combineAdapters({adapters, base, out, rank}: CombineOptions): Promise<CombineReport> {
  const read: WeightedAdapter[] = []
  for (const {directory, weight} of adapters) {
    read.push({name: directory, saved: await readAdapter(directory), weight})
  }
  const common = await commonBase(read, base)
  const {error, settings, sites, values} = combine(read, rank)
  await saveAdapter(out, {settings, values}, common)
  return {
    out,
    adapters: adapters.map(({directory, weight}) => ({path: directory, weight})),
    base: common.path,
    tensors: values.size,
    trainable_parameters: [...values.values()].reduce((sum, tensor) => sum + tensor.values.length, 0),
    error,
    sites,
  }
}

/** The one base of all; PEFT's files do not say which weights theirs has. */
async function commonBase(
  adapters: readonly WeightedAdapter[],
  named: ExportBase | undefined,
): Promise<AdapterManifest['base']> {
  const known = adapters.flatMap(({name, saved: {base}}) => (base.fingerprint === null ? [] : [{...base, name}]))
  const own = named === undefined ? null : await baseOf(named)
  const first = own ?? known.at(0)
  const others = known.filter(({fingerprint}) => fingerprint !== first?.fingerprint)
  if (first && others.length > 0) {
    throw new MismatchError('The adapters were trained on different models; their sum would mean nothing.', {
      faults: [
        {message: `${first.path}, ${first.fingerprint}`, where: own ? '--base' : (known.at(0)?.name ?? '')},
        ...others.map(({fingerprint, name, path}) => ({message: `trained on ${path}, ${fingerprint}`, where: name})),
      ],
    })
  }
  const norm = normEntry(commonNorm(adapters))
  if (first?.fingerprint && first.architecture !== undefined) {
    return {architecture: first.architecture, fingerprint: first.fingerprint, path: first.path, ...norm}
  }
  return {...(await baseNamedIn(adapters)), ...norm}
}

/** PEFT's files know of none. Errors: MismatchError where one adapter was trained under a norm and another was not. */
function commonNorm(adapters: readonly WeightedAdapter[]): number | null {
  const norms = adapters.map(({saved}) => normOf(saved))
  if (new Set(norms).size === 1) return norms[0]
  throw new MismatchError(
    'Only some of the adapters were trained with model.stabilising_norm; their sum would mean nothing.',
    {
      faults: adapters.map(({name}, index) => ({
        message: norms[index] === null ? 'trained on the base as it is' : `trained with mixer_rms_eps ${norms[index]}`,
        where: name,
      })),
      hint: 'Combine adapters that were trained on the same model.',
    },
  )
}

async function baseNamedIn(adapters: readonly WeightedAdapter[]): Promise<AdapterManifest['base']> {
  const [{saved}] = adapters
  try {
    return await baseOf({directory: saved.base.path, name: saved.base.path})
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    throw new MismatchError('None of the adapters says which weights it was trained on, and their model is not here.', {
      cause: error,
      faults: [{message: error.message, where: saved.base.path}],
      hint: 'Say which model they belong to with --base MODEL.',
    })
  }
}

async function baseOf({directory, name}: ExportBase): Promise<AdapterManifest['base']> {
  const files = await openModelDirectory(directory)
  return {architecture: configOf(files).architecture, fingerprint: await fingerprintTensors(files.tensors), path: name}
}

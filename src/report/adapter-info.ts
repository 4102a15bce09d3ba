/** `mambatune adapter info`: what an adapter is, and how much it changes where. */
import {MismatchError} from '../errors.js'
import {adaptableSites} from '../peft/sites-of.js'
import {partName} from '../peft/export-format.js'
import {type LoraUpdate, loraUpdates} from '../peft/lora-updates.js'
import {readAdapter, type SavedAdapter} from '../peft/saved-adapter.js'
import {type KnownModel} from '../peft/update-parts.js'
import {type AdapterInspection, inspectAdapter} from './inspect-adapter.js'
import {type NamedModel, openKnownModel} from './open-known-model.js'
import {type PartNorm, updateNorms} from './update-norms.js'

export interface AdapterInfo {
  readonly path: string
  readonly format: AdapterInspection['format']
  readonly base: AdapterInspection['base']
  readonly methods: AdapterInspection['methods']
  readonly trainable_parameters: number
  readonly trainable_percent: number | null
  /** Whether slices of whole modules could be told apart, and whether norms are set against those of the weights */
  readonly model: 'not known' | 'sizes' | 'weights'
  readonly parts: readonly PartNorm[]
  /** √ of the sum of squares of all parts */
  readonly norm: number
  readonly not_shown: readonly {readonly part: string; readonly reason: string}[]
}

/** Errors: FileError for damaged files, MismatchError for tensors that are not those of the settings or of the model. */
export async function adapterInfo(directory: string, named: NamedModel | null): Promise<AdapterInfo> {
  const saved = await readAdapter(directory)
  const {base, format, methods, trainable_parameters, trainable_percent} = await inspectAdapter(directory)
  const model = await openKnownModel(saved, named)
  const own = fits(saved, model) ? model : null
  if (named && model && !own) throw otherSizes(named)
  const {parts, unknown} = await updateNorms(saved, own)
  return {
    path: directory,
    format,
    base,
    methods,
    trainable_parameters,
    trainable_percent,
    model: own === null ? 'not known' : own.files === null ? 'sizes' : 'weights',
    parts,
    norm: Math.sqrt(parts.reduce((sum, {norm}) => sum + norm * norm, 0)),
    not_shown: unknown.map(({entry, reason}) => ({part: partName(saved, entry), reason})),
  }
}

/** Whether every update has the rows and columns of its site in this model. */
export function fits(saved: SavedAdapter, model: KnownModel | null): boolean {
  if (!model) return false
  const sites = new Map(adaptableSites(model.config).map((site) => [site.name, site]))
  return loraUpdates(saved).every(({down, site: name, up}: LoraUpdate) => {
    const site = sites.get(name)
    return site?.inputs === down.shape[1] && site.to - site.from === up.shape[0]
  })
}

export function otherSizes({name}: NamedModel): MismatchError {
  return new MismatchError(`The adapter does not fit ${name}: some of its updates have other rows or columns.`, {
    hint: 'Name the model that it was trained on: mambatune inspect ADAPTER tells which.',
  })
}

/** The adapters around one model that take turns in a conversation; the weights are loaded once. */
import {createHash} from 'node:crypto'
import {fingerprintTensors, openModelDirectory} from '../../checkpoint/model-directory.js'
import {type LanguageModel} from '../../model/language-model.js'
import {loadModel} from '../../model/load-model.js'
import {configOf} from '../../model/model-files.js'
import {AdapterSet} from '../adapter-set.js'
import {baseOf, normOf} from '../base-norm.js'
import {checkBase, readAdapter, type SavedAdapter} from '../saved-adapter.js'
import {type Speaker} from './voice.js'

/** What the model without adapters is called. */
export const BASE = 'base'

export interface Speakers {
  readonly model: LanguageModel
  /** Of the model's weights */
  readonly fingerprint: string
  /** The bare model first, then each adapter, by its directory */
  readonly all: readonly Speaker[]
  dispose(): void
}

export interface SpeakersOptions {
  readonly model: string
  readonly adapters: readonly string[]
  readonly anyBase: boolean
}

/** Errors: FileError for damaged files, MismatchError for an adapter of another model. */
export async function loadSpeakers({adapters, anyBase, model: path}: SpeakersOptions): Promise<Speakers> {
  const files = await openModelDirectory(path)
  const fingerprint = await fingerprintTensors(files.tensors)
  const saved: {name: string; adapter: SavedAdapter}[] = []
  for (const name of adapters) {
    const adapter = await readAdapter(name)
    if (adapter.base.fingerprint) checkBase(adapter, {fingerprint, path}, anyBase)
    saved.push({adapter, name})
  }
  const model = await loadModel(files)
  const sets: AdapterSet[] = []
  const dispose = (): void => {
    for (const set of sets) set.dispose()
    model.weights.dispose()
  }
  const speaker = (name: string, set: AdapterSet, saved: SavedAdapter | null): Speaker => {
    sets.push(set)
    const config = configOf(baseOf(saved, files))
    return {config, digest: saved && digestOf(saved), name, sites: set.sites(model.weights)}
  }
  try {
    const base = speaker(BASE, AdapterSet.create([], model.config, 0), null)
    const adapted = saved.map(({adapter, name}) =>
      speaker(name, AdapterSet.restore(adapter.settings, model.config, adapter.values), adapter),
    )
    return {all: [base, ...adapted], dispose, fingerprint, model}
  } catch (error) {
    dispose()
    throw error
  }
}

/** Two adapters with the same digest answer alike. */
function digestOf({base, settings, values}: SavedAdapter): string {
  const norm = normOf({base})
  const hash = createHash('sha256').update(JSON.stringify(norm === null ? settings : [settings, norm]))
  for (const name of [...values.keys()].sort()) {
    const parameter = values.get(name)
    if (parameter) hash.update(JSON.stringify([name, parameter.shape])).update(parameter.values)
  }
  return `sha256:${hash.digest('hex')}`
}

/** A model from its directory with an adapter from its directory around it, ready to run: what eval, generate and merge start from. */
import {fingerprintTensors, type ModelFiles, openModelDirectory} from '../checkpoint/model-directory.js'
import {MismatchError} from '../errors.js'
import {type LanguageModel} from '../model/language-model.js'
import {loadModel} from '../model/load-model.js'
import {type Sites} from '../model/sites.js'
import {AdapterSet} from './adapter-set.js'
import {checkCopies} from './base-copies.js'
import {baseOf} from './base-norm.js'
import {checkBase, readAdapter, type SavedAdapter} from './saved-adapter.js'

export interface AttachedModel {
  /** As the adapter knows them: under a norm, if it was trained so */
  readonly files: ModelFiles
  readonly model: LanguageModel
  readonly adapters: AdapterSet
  /** null for the bare model */
  readonly saved: SavedAdapter | null
  /** Of the adapters around the model */
  readonly sites: Sites
  dispose(): void
}

export interface AttachOptions {
  readonly model: string
  readonly adapter?: string | undefined
  /** Accept an adapter that was trained on other weights of the same shapes. */
  readonly anyBase?: boolean
  /** Multiplies the first state of the scan that the adapter has. */
  readonly stateScale?: number | undefined
  readonly report?: (done: number, total: number) => void
}

/** Errors: FileError for damaged files, MismatchError for an adapter of another model. */
export async function attachModel({
  adapter,
  anyBase,
  model: path,
  report,
  stateScale,
}: AttachOptions): Promise<AttachedModel> {
  const bare = await openModelDirectory(path)
  const saved = adapter === undefined ? null : scaled(await readAdapter(adapter), stateScale)
  if (saved?.base.fingerprint) {
    checkBase(saved, {fingerprint: await fingerprintTensors(bare.tensors), path}, anyBase ?? false)
  }
  const files = baseOf(saved, bare)
  if (saved) await checkCopies(saved, files)
  const model = await loadModel(files, report)
  try {
    const adapters = saved
      ? AdapterSet.restore(saved.settings, model.config, saved.values)
      : AdapterSet.create([], model.config, 0)
    const dispose = (): void => {
      adapters.dispose()
      model.weights.dispose()
    }
    return {adapters, dispose, files, model, saved, sites: adapters.settledSites(model.weights)}
  } catch (error) {
    model.weights.dispose()
    throw error
  }
}

function scaled(saved: SavedAdapter, factor: number | undefined): SavedAdapter {
  if (factor === undefined) return saved
  if (!saved.settings.some((entry) => entry.method === 'initial-state' && entry.scan)) {
    throw new MismatchError('There is no state to scale: the adapter has no first state of the scan.', {
      hint: 'Leave --state-scale out.',
    })
  }
  const settings = saved.settings.map((entry) =>
    entry.method === 'initial-state' && entry.scan ? {...entry, scale: factor * (entry.scale ?? 1)} : entry,
  )
  return {...saved, settings}
}

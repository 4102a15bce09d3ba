/**
 * The norm on Δ, B and C under which an adapter may have been trained though its base has none (model.stabilising_norm of a
 * recipe). It belongs to the model and not to the adapter's parts, so that whatever opens the base for this adapter opens it so.
 */
import {type AdapterManifest} from '../checkpoint/adapter-manifest.js'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {normedFiles} from '../model/mixer-norm.js'
import {type SavedAdapter} from './saved-adapter.js'

type Based = Pick<SavedAdapter, 'base'>

/** ε of the norm, null if the adapter was trained on the base as it is. */
export const normOf = (saved: Based | null): number | null => saved?.base.mixer_rms_eps ?? null

/** What a manifest says of the norm. */
export function normEntry(epsilon: number | null): Pick<AdapterManifest['base'], 'mixer_rms_eps'> {
  return epsilon === null ? {} : {mixer_rms_eps: epsilon}
}

/** The base as the adapter knows it. Errors: MismatchError where it cannot be so. */
export function baseOf(saved: Based | null, files: ModelFiles): ModelFiles {
  return normedFiles(files, normOf(saved))
}

/**
 * For files that cannot say it: refuses an adapter that was trained under a norm which the base that they will be used on does not have.
 * `base` is null where that is not known.
 */
export function checkBaseHasNorm(saved: Based, format: string, base: MambaConfig | null): void {
  const epsilon = normOf(saved)
  if (epsilon === null || (base?.architecture === 'mamba' && base.mixerEpsilon === epsilon)) return
  throw new MismatchError(`${format} cannot say that the base gets a norm; nothing was written.`, {
    faults: [{message: `trained with mixer_rms_eps ${epsilon}, which the base does not have`, where: 'adapter'}],
    hint: 'Merge it: mambatune merge writes a Falcon-Mamba model, norm included. Or name a base with --base whose config.json has model_type falcon_mamba and this mixer_rms_eps.',
  })
}

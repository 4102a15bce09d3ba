/** The model that an adapter belongs to: a named one with its weights, else the sizes of its own base where that is there. */
import {fingerprintTensors, openModelDirectory} from '../checkpoint/model-directory.js'
import {MambatuneError} from '../errors.js'
import {configOf} from '../model/model-files.js'
import {checkCopies} from '../peft/base-copies.js'
import {checkBase, type SavedAdapter} from '../peft/saved-adapter.js'
import {type KnownModel} from '../peft/update-parts.js'

export interface NamedModel {
  readonly directory: string
  readonly name: string
}

/** Errors: those of the named model, MismatchError if it is another one than the adapter was trained on. */
export async function openKnownModel(saved: SavedAdapter, named: NamedModel | null): Promise<KnownModel | null> {
  if (named === null) return sizesOfBase(saved)
  const files = await openModelDirectory(named.directory)
  if (saved.base.fingerprint !== null) {
    checkBase(saved, {fingerprint: await fingerprintTensors(files.tensors), path: named.name})
  }
  await checkCopies(saved, files)
  return {config: configOf(files), files}
}

/** An adapter can be looked at without its base; then there are no slices of whole modules. */
async function sizesOfBase({base}: SavedAdapter): Promise<KnownModel | null> {
  try {
    return {config: configOf(await openModelDirectory(base.path)), files: null}
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    return null
  }
}

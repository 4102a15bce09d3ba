/** The adapters that a run begins with: fresh ones, or those of a saved adapter with the run's settings. */
import {type AdapterManifest} from '../checkpoint/adapter-manifest.js'
import {type Fault, MismatchError} from '../errors.js'
import {type LanguageModel} from '../model/language-model.js'
import {AdapterSet, parameterSpecs} from '../peft/adapter-set.js'
import {normOf} from '../peft/base-norm.js'
import {continuedFrom} from '../peft/phases.js'
import {loraScale} from '../peft/lora-settings.js'
import {type AdapterSettings} from '../peft/method-settings.js'
import {checkBase, readAdapter, type SavedAdapter} from '../peft/saved-adapter.js'

/** Tensors named on either side when targets differ. */
const SHOWN = 4

export interface StartOptions {
  readonly settings: readonly AdapterSettings[]
  readonly model: LanguageModel
  readonly seed: number
  /** A saved adapter to start from; null starts fresh. */
  readonly initAdapter: string | null
  readonly base: Pick<AdapterManifest['base'], 'fingerprint' | 'mixer_rms_eps' | 'path'>
}

/** Errors: MismatchError when the saved adapter has other methods, ranks, scales or targets than the settings. */
export async function startAdapters({base, initAdapter, model, seed, settings}: StartOptions): Promise<AdapterSet> {
  if (initAdapter === null) return AdapterSet.createFor(settings, model, seed)
  const saved = await readAdapter(initAdapter)
  checkBase(saved, base)
  const continued = continuedFrom(settings, saved.settings)
  const faults = [
    ...compareNorms({base}, saved),
    ...compareSettings(settings, saved.settings),
    ...compareNames(savedNames(continued, model), saved.values),
  ]
  if (faults.length > 0) {
    throw new MismatchError(`init_adapter ${initAdapter} does not fit the recipe's adapters.`, {
      faults,
      hint: 'Give the recipe the same norm, methods, targets, ranks and alphas in the same order as the saved adapter has them.',
    })
  }
  return AdapterSet.restore(continued, model.config, saved.values)
}

/** PEFT's files do not say what was done to the model. */
function compareNorms(now: Pick<SavedAdapter, 'base'>, saved: SavedAdapter): Fault[] {
  const [wanted, found] = [now, saved].map((one) => normOf(one) !== null)
  if (saved.format === 'peft' || wanted === found) return []
  return [{message: `is ${wanted} in the recipe and ${found} in the saved adapter`, where: 'model.stabilising_norm'}]
}

function savedNames(settings: readonly AdapterSettings[], {config}: LanguageModel): string[] {
  return [...parameterSpecs(settings, config)].filter(([, {frozen}]) => frozen !== 'remade').map(([name]) => name)
}

function compareSettings(recipe: readonly AdapterSettings[], saved: readonly AdapterSettings[]): Fault[] {
  const faults: Fault[] = []
  for (let index = 0; index < Math.max(recipe.length, saved.length); index++) {
    const wanted = describe(recipe[index])
    const found = describe(saved[index])
    if (wanted !== found) {
      faults.push({message: `is ${wanted} in the recipe and ${found} in the saved adapter`, where: `adapters.${index}`})
    }
  }
  return faults
}

/** Tensors that only one side has: the targets differ. The first few stand for all. */
function compareNames(wanted: Iterable<string>, saved: ReadonlyMap<string, unknown>): Fault[] {
  const recipe = new Set(wanted)
  const missing = [...recipe].filter((name) => !saved.has(name))
  const surplus = [...saved.keys()].filter((name) => !recipe.has(name))
  return [
    ...missing
      .slice(0, SHOWN)
      .map((where) => ({message: 'is trained by the recipe and not in the saved adapter', where})),
    ...surplus
      .slice(0, SHOWN)
      .map((where) => ({message: 'is in the saved adapter and not trained by the recipe', where})),
  ]
}

function describe(settings: AdapterSettings | undefined): string {
  if (!settings) return 'absent'
  switch (settings.method) {
    case 'lora': {
      const kind = [...(settings.dora ? ['with dora'] : []), ...(settings.init === 'pissa' ? ['from pissa'] : [])]
      return [`lora of rank ${settings.rank} and scale ${loraScale(settings)}`, ...kind].join(', ')
    }
    case 'vera':
      return `vera of rank ${settings.rank} and seed ${settings.seed}`
    case 'delta-scale':
      return `delta-scale per ${settings.per}`
    case 'prodial':
      return `prodial of ${settings.blocks} blocks, rank ${settings.rank} and scale ${settings.alpha / settings.rank}`
    case 'sparse-dimension':
      return `sparse-dimension of rank ${settings.rank} and scale ${settings.alpha / settings.rank}`
    case 'additional-scan':
    case 'full-values':
    case 'initial-state':
    case 'partial':
    case 'state-offset':
      return settings.method
  }
}

/**
 * What Hugging Face PEFT, from 0.16 on, can hold of an adapter for Mamba: low-rank updates of in_proj and x_proj, or of
 * slices of them, of embedding and head, and weights and biases of whole modules; or one VeRA. The rules for modules: https://github.com/huggingface/peft/blob/main/src/peft/tuners/tuners_utils.py
 */
import {type LeftOut, partName} from './export-format.js'
import {type LoraUpdate, loraUpdates} from './lora-updates.js'
import {type AdapterSettings} from './method-settings.js'
import {adaptedModules, notWholeInPeft} from './peft-full-values.js'
import {type SavedAdapter} from './saved-adapter.js'
import {firstVera, type VeraEntry, veraLeftOut} from './vera-to-peft.js'

/** Why PEFT cannot hold updates of these modules; it holds those of the others. */
const NOT_IN_PEFT: ReadonlyMap<string, string> = new Map([
  ['conv1d', 'PEFT refuses LoRA on conv1d of Mamba, from version 0.16 on'],
  ['dt_proj', 'PEFT loads LoRA on dt_proj of Mamba, but it never acts: the model reads the weight past the adapter'],
  ['out_proj', 'PEFT refuses LoRA on out_proj of Mamba, from version 0.16 on'],
])

/** Why PEFT cannot hold adapters of these methods at all. */
const METHODS_NOT_IN_PEFT: {readonly [Name in AdapterSettings['method']]?: string} = {
  'additional-scan': 'PEFT has no file format for more states; merged, they are ordinary weights of a larger model',
  'delta-scale': 'PEFT has no file format for factors of Δ; merged, they are ordinary weights',
  partial:
    'PEFT has no file format for sums beside A_log, D, norms and other tensors; merged, they are ordinary weights',
  prodial: 'PEFT has no file format for ProDiaL; merged, it is an ordinary weight',
  'sparse-dimension': 'PEFT has no file format for sparse changes; merged, they are ordinary weights',
  'state-offset': 'PEFT has no file format for state-offset',
}

const DORA_APART =
  'PEFT holds DoRA of whole modules in a file of its own, and not beside other updates or of slices, whose rows it cannot tell apart'

/** The updates that PEFT can hold. Errors: MismatchError for tensors that are not those of the settings. */
export function heldByPeft(saved: SavedAdapter): readonly LoraUpdate[] {
  const possible = loraUpdates(saved).filter(({projection}) => !NOT_IN_PEFT.has(projection))
  const isOne = possible.every(({entry, slice}) => entry === possible[0].entry && slice === null)
  return isOne ? possible : possible.filter(({settings}) => !settings.dora)
}

/** The entry of VeRA that PEFT can hold; null where there is none, or LoRA takes the file. Errors: as above. */
export function veraHeldByPeft(saved: SavedAdapter): VeraEntry | null {
  return heldByPeft(saved).length > 0 ? null : firstVera(saved)
}

/** The parts that PEFT cannot hold, by entry and projection. Errors: as above. */
export function leftOutOfPeft(saved: SavedAdapter): readonly LeftOut[] {
  const updates = loraUpdates(saved)
  const possible = heldByPeft(saved)
  const adapted = adaptedModules(possible)
  const held = new Set(possible.map(({entry, site}) => `${entry} ${site}`))
  return saved.settings.flatMap((entry, index): readonly LeftOut[] => {
    const part = partName(saved, index)
    if (entry.method === 'initial-state') {
      const states = [...(entry.scan ? ['scan'] : []), ...(entry.conv ? ['conv'] : [])]
      return [{part: `${part}: ${states.join(', ')}`, reason: 'PEFT has no file format for a learned first state'}]
    }
    if (entry.method === 'full-values') {
      return entry.tensors.flatMap((tensor): LeftOut[] => {
        const reason = notWholeInPeft(tensor, adapted)
        return reason === null ? [] : [{part: `${part}: ${tensor}`, reason}]
      })
    }
    if (entry.method === 'vera') return veraLeftOut(saved, index, possible.length > 0 ? null : firstVera(saved))
    const refusal = METHODS_NOT_IN_PEFT[entry.method]
    if (refusal !== undefined) return [{part, reason: refusal}]
    const notHeld = updates.filter((update) => update.entry === index && !held.has(`${index} ${update.site}`))
    const projections = new Set(notHeld.map(({projection}) => projection))
    return [...projections]
      .sort()
      .map((projection) => ({part: `${part}: ${projection}`, reason: NOT_IN_PEFT.get(projection) ?? DORA_APART}))
  })
}

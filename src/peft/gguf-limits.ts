/**
 * What llama.cpp can hold of an adapter for Mamba: low-rank updates of every projection that it multiplies by, slices
 * included. https://github.com/ggml-org/llama.cpp/blob/master/src/models/mamba-base.cpp
 */
import {ggufModule} from '../model/gguf-names.js'
import {type LeftOut, partName} from './export-format.js'
import {type LoraUpdate, loraUpdates} from './lora-updates.js'
import {type SavedAdapter} from './saved-adapter.js'

/** The updates that llama.cpp can hold, and the rest. Errors: MismatchError for tensors that are not those of the settings. */
export function splitForGguf(saved: SavedAdapter): {
  readonly held: readonly LoraUpdate[]
  readonly leftOut: readonly LeftOut[]
} {
  const updates = loraUpdates(saved)
  const held = updates.filter(({magnitudes, module}) => ggufModule(module) !== null && magnitudes === null)
  const leftOut = saved.settings.flatMap((entry, index): LeftOut[] => {
    const part = partName(saved, index)
    if (entry.method !== 'lora') return [{part, reason: `a LoRA file of llama.cpp has no place for ${entry.method}`}]
    const others = updates.filter((update) => update.entry === index && !held.includes(update))
    const reasons = new Map(others.map((update) => [update.projection, reasonFor(update)]))
    return [...reasons].map(([projection, reason]) => ({part: `${part}: ${projection}`, reason}))
  })
  return {held, leftOut}
}

function reasonFor({magnitudes, projection}: LoraUpdate): string {
  if (magnitudes) return 'a LoRA file of llama.cpp has no place for the lengths of rows that DoRA trains'
  return projection === 'conv1d'
    ? 'llama.cpp convolves past its adapters'
    : `updates of ${projection} are written into a whole model only, with --format gguf`
}

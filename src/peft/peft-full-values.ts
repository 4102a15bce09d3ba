/**
 * Full values → PEFT's files. Biases need `bias: all`, under which PEFT loads those that the file has and leaves the rest;
 * a weight needs its module in modules_to_save. Parameters of the mixer itself are no module's weight or bias.
 */
import {type LoraUpdate} from './lora-updates.js'
import {type ParameterValues} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'

export interface WholeInPeft {
  readonly bias: 'all' | 'none'
  readonly modulesToSave: readonly string[] | null
  /** By name in the file */
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

/** Why PEFT cannot hold this tensor whole; null if it can. `adapted` are the modules with LoRA on them. */
export function notWholeInPeft(tensor: string, adapted: ReadonlySet<string>): string | null {
  if (adapted.size === 0) return 'PEFT has no adapter without LoRA on any module'
  if (tensor.endsWith('bias')) return null
  if (!tensor.endsWith('.weight')) return 'PEFT saves whole modules, and this is no weight or bias of one'
  return adapted.has(moduleOf(tensor)) ? 'PEFT cannot save a module whole that has LoRA on it' : null
}

export function wholeInPeft(saved: SavedAdapter, updates: readonly LoraUpdate[]): WholeInPeft {
  const adapted = adaptedModules(updates)
  const tensors = new Map<string, ParameterValues>()
  const modules = new Set<string>()
  let biases = false
  for (const [name, tensor] of fullTensors(saved)) {
    if (notWholeInPeft(name, adapted) !== null) continue
    const module = moduleOf(name)
    const isBias = name.endsWith('bias')
    if (isBias) biases = true
    else modules.add(name.replace(/\.weight$/, ''))
    const inFile = isBias && adapted.has(module) ? name.replace(/bias$/, 'base_layer.bias') : name
    tensors.set(`base_model.model.${inFile}`, tensor)
  }
  return {bias: biases ? 'all' : 'none', modulesToSave: modules.size > 0 ? [...modules].sort() : null, tensors}
}

/** By our names of modules */
export function adaptedModules(updates: readonly LoraUpdate[]): ReadonlySet<string> {
  return new Set(updates.map(({module}) => module))
}

/** Every tensor that the adapter carries whole, by its name in the checkpoint; of two the later one acts. */
export function fullTensors({settings, values}: SavedAdapter): ReadonlyMap<string, ParameterValues> {
  const all = settings.flatMap((entry, index) =>
    entry.method === 'full-values'
      ? entry.tensors.flatMap((name): [string, ParameterValues][] => {
          const tensor = values.get(`adapters.${index}.${name}`)
          return tensor ? [[name, tensor]] : []
        })
      : [],
  )
  return new Map(all)
}

/** 'backbone.layers.0.mixer.conv1d.bias' → 'layers.0.mixer.conv1d' */
function moduleOf(tensor: string): string {
  return tensor.replace(/^backbone\./, '').replace(/\.\w+$/, '')
}

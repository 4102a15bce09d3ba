/**
 * The low-rank updates of a saved adapter, read from its tensors alone: which rows of which module get which B A. No model
 * is needed for that, so names and shapes are checked against the settings that came with them.
 */
import {type Fault, MismatchError} from '../errors.js'
import {type LoraSettings} from './lora-settings.js'
import {type ParameterValues} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'

export interface LoraUpdate {
  /** Index of its entry in the adapter */
  readonly entry: number
  readonly settings: LoraSettings
  /** 'layers.3.mixer.x_proj.B' */
  readonly site: string
  /** 'layers.3.mixer.x_proj' */
  readonly module: string
  /** 'x_proj', 'embeddings' */
  readonly projection: string
  /** 'B', and 'input' of the embedding; null for the whole module */
  readonly slice: string | null
  readonly down: ParameterValues // A (r, in)
  readonly up: ParameterValues // B (rows, r)
}

const TENSOR =
  /^adapters\.\d+\.((layers\.\d+\.mixer\.(?:in_proj|x_proj|dt_proj|out_proj|conv1d)|embeddings|lm_head)(?:\.(\w+))?)\.lora_([AB])$/

type Half = Omit<LoraUpdate, 'down' | 'up'> & Partial<Record<'A' | 'B', ParameterValues>>

/** In the order of the file. Errors: MismatchError with every tensor that is not what the settings say. */
export function loraUpdates({settings: entries, values}: SavedAdapter): readonly LoraUpdate[] {
  const faults: Fault[] = []
  const halves = new Map<string, Half>()
  for (const [where, tensor] of values) {
    const entry = Number(where.split('.')[1])
    const settings = entries[entry]
    if (settings && settings.method !== 'lora') continue
    const match = TENSOR.exec(where)
    if (!settings || !match) {
      faults.push({message: 'is not a tensor of these adapters', where})
      continue
    }
    const [, site, module, slice = null, matrix] = match
    const projection = module.split('.').pop() ?? module
    const key = `adapters.${entry}.${site}`
    halves.set(key, {...halves.get(key), entry, module, projection, settings, site, slice, [matrix]: tensor})
  }
  const updates = [...halves].flatMap(([key, half]) => joined(key, half, faults) ?? [])
  checkAgreement(updates, faults)
  if (faults.length > 0) {
    throw new MismatchError('The tensors of the adapter are not those that its settings describe.', {
      faults,
      hint: 'Copy the adapter again, both of its files, or train it again.',
    })
  }
  return updates
}

function joined(key: string, {A: down, B: up, ...update}: Half, faults: Fault[]): LoraUpdate | null {
  const {rank} = update.settings
  if (!down || !up) {
    faults.push({message: 'is missing', where: `${key}.lora_${down ? 'B' : 'A'}`})
    return null
  }
  if (down.shape.length !== 2 || down.shape[0] !== rank) {
    faults.push({message: `has shape [${down.shape.join(', ')}], expected [${rank}, inputs]`, where: `${key}.lora_A`})
  }
  if (up.shape.length !== 2 || up.shape[1] !== rank) {
    faults.push({message: `has shape [${up.shape.join(', ')}], expected [rows, ${rank}]`, where: `${key}.lora_B`})
  }
  return {...update, down, up}
}

/** Updates of one module read the same inputs, and those of the whole module have the same rows. */
function checkAgreement(updates: readonly LoraUpdate[], faults: Fault[]): void {
  const first = new Map<string, ParameterValues>()
  const compare = (module: string, axis: 0 | 1, where: string, tensor: ParameterValues): void => {
    const other = first.get(`${module} ${axis}`) ?? tensor
    first.set(`${module} ${axis}`, other)
    if (other.shape[axis] === tensor.shape[axis]) return
    const message = `has shape [${tensor.shape.join(', ')}], and another update of this module [${other.shape.join(', ')}]`
    faults.push({message, where})
  }
  for (const {down, entry, module, site, slice, up} of updates) {
    compare(module, 1, `adapters.${entry}.${site}.lora_A`, down)
    if (slice === null) compare(module, 0, `adapters.${entry}.${site}.lora_B`, up)
  }
}

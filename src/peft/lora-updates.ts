/**
 * The low-rank updates of a saved adapter, read from its tensors alone: which rows of which module get which B A. No model
 * is needed for that, so names and shapes are checked against the settings that came with them.
 */
import {type Fault, MismatchError} from '../errors.js'
import {type PlainFactors, plainFactors} from './lora-factors.js'
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
  readonly magnitudes: ParameterValues | null // m (rows) of DoRA
}

const TENSOR =
  /^adapters\.\d+\.((layers\.\d+\.mixer\.(?:in_proj|x_proj|dt_proj|out_proj|conv1d)|embeddings|lm_head)(?:\.([A-Za-z]+))?)\.(lora_A|lora_B|lora_magnitude_vector|pissa_A|pissa_B)$/

type Tensors = Partial<Record<'lora_A' | 'lora_B' | 'lora_magnitude_vector' | 'pissa_A' | 'pissa_B', ParameterValues>>
type Half = Omit<LoraUpdate, 'down' | 'magnitudes' | 'up'> & {readonly tensors: Tensors}

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
    const [, site, module, slice = null, kind] = match
    const projection = module.split('.').pop() ?? module
    const key = `adapters.${entry}.${site}`
    const tensors = {...halves.get(key)?.tensors, [kind]: tensor}
    halves.set(key, {entry, module, projection, settings, site, slice, tensors})
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

/** With what PiSSA starts from as ranks of its own. */
function joined(key: string, {tensors, ...update}: Half, faults: Fault[]): LoraUpdate | null {
  const {settings} = update
  const {lora_A: down, lora_B: up, lora_magnitude_vector: magnitudes, pissa_A: firstDown, pissa_B: firstUp} = tensors
  const missing = [
    ...(down ? [] : ['lora_A']),
    ...(up ? [] : ['lora_B']),
    ...(settings.dora && !magnitudes ? ['lora_magnitude_vector'] : []),
    ...(settings.init === 'pissa' && !firstDown ? ['pissa_A'] : []),
    ...(settings.init === 'pissa' && !firstUp ? ['pissa_B'] : []),
  ]
  faults.push(...missing.map((tensor) => ({message: 'is missing', where: `${key}.${tensor}`})))
  if (!down || !up || missing.length > 0) return null
  const before = faults.length
  checkShapes(`${key}.lora`, {down, up}, settings.rank, faults)
  if (magnitudes && magnitudes.shape.join() !== String(up.shape[0])) {
    const message = `has shape [${magnitudes.shape.join(', ')}], expected [${up.shape[0]}]`
    faults.push({message, where: `${key}.lora_magnitude_vector`})
  }
  const whole = {...update, magnitudes: magnitudes ?? null}
  if (!firstDown || !firstUp) return {...whole, down, up}
  const first = {down: firstDown, up: firstUp}
  checkShapes(`${key}.pissa`, first, settings.rank, faults)
  if (faults.length > before) return null
  return {...whole, settings: ofTwiceTheRank(settings), ...plainFactors({down, first, up})}
}

function checkShapes(key: string, {down, up}: PlainFactors, rank: number, faults: Fault[]): void {
  if (down.shape.length !== 2 || down.shape[0] !== rank) {
    faults.push({message: `has shape [${down.shape.join(', ')}], expected [${rank}, inputs]`, where: `${key}_A`})
  }
  if (up.shape.length !== 2 || up.shape[1] !== rank) {
    faults.push({message: `has shape [${up.shape.join(', ')}], expected [rows, ${rank}]`, where: `${key}_B`})
  }
}

/** The same scale with twice as many ranks. */
function ofTwiceTheRank({alpha, rank, rslora, ...settings}: LoraSettings): LoraSettings {
  return {...settings, alpha: alpha * (rslora ? Math.SQRT2 : 2), rank: 2 * rank, rslora}
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

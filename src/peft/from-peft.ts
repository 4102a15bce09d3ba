/**
 * Hugging Face PEFT's LoRA files → our settings and names. Which modules are adapted is read from the tensors, not from
 * `target_modules`, which may be a pattern. What this version cannot carry out is refused, never dropped.
 */
import {type Fault, FileError} from '../errors.js'
import {type LoraSettings} from './lora-settings.js'
import {type ParameterValues} from './method.js'

interface PeftFiles {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

export interface ImportedAdapter {
  readonly settings: readonly LoraSettings[]
  readonly values: ReadonlyMap<string, ParameterValues>
  readonly base: {readonly path: string; readonly fingerprint: null}
}

/** The base of an adapter whose file names none. */
export const UNNAMED_BASE = 'an unnamed model'

/** 'base_model.model.backbone.layers.0.mixer.in_proj.lora_A.weight' */
const TENSOR =
  /^base_model\.model\.backbone\.(layers\.\d+\.mixer\.(\w+))\.(?:(lora_[AB])\.weight|(lora_magnitude_vector))$/

/** Errors: FileError with everything that cannot be carried over. */
export function fromPeft({config, tensors}: PeftFiles, path: string): ImportedAdapter {
  const faults = unsupported(config, path)
  const values = new Map<string, ParameterValues>()
  const modules = new Set<string>()
  const projections = new Set<string>()
  for (const [name, tensor] of tensors) {
    const match = TENSOR.exec(name)
    if (!match) {
      faults.push({message: 'is not a LoRA tensor of a projection, which is all that this version reads', where: name})
      continue
    }
    const [, module, projection, matrix, magnitudes] = match
    if (magnitudes !== undefined && config.use_dora !== true) {
      faults.push({message: 'is a magnitude of DoRA, and use_dora is not true', where: name})
    }
    values.set(`adapters.0.${module}.${matrix ?? magnitudes}`, tensor)
    modules.add(module)
    projections.add(projection)
  }
  const rank = wholeNumber(config.r, 'r', path, faults)
  const alpha = typeof config.lora_alpha === 'number' && config.lora_alpha > 0 ? config.lora_alpha : null
  if (alpha === null) {
    faults.push({message: `lora_alpha is ${JSON.stringify(config.lora_alpha)}, expected a number above 0`, where: path})
  }
  if (modules.size === 0) faults.push({message: 'holds no LoRA tensor', where: path})
  if (faults.length > 0) throw new FileError('The PEFT adapter cannot be read.', {faults})

  const settings: LoraSettings = {
    alpha: alpha ?? 1,
    dropout: typeof config.lora_dropout === 'number' ? config.lora_dropout : 0,
    method: 'lora',
    rank,
    rslora: config.use_rslora === true,
    targets: [...(namesEveryLayer(config) ? projections : modules)].sort(),
    ...(config.use_dora === true && {dora: true}),
  }
  const base = typeof config.base_model_name_or_path === 'string' ? config.base_model_name_or_path : UNNAMED_BASE
  return {base: {fingerprint: null, path: base}, settings: [settings], values}
}

/** Whether PEFT adapted these projections in all layers of the model, however many it has. */
function namesEveryLayer({exclude_modules, layers_to_transform, target_modules}: PeftFiles['config']): boolean {
  if (exclude_modules ?? layers_to_transform) return false
  return (
    Array.isArray(target_modules) && target_modules.every((name) => typeof name === 'string' && !name.includes('.'))
  )
}

/** Ways to start A and B that leave the base as it is. */
const PLAIN_STARTS: ReadonlySet<unknown> = new Set([true, false, 'gaussian', 'orthogonal', 'eva'])

function unsupported(config: PeftFiles['config'], path: string): Fault[] {
  const faults: Fault[] = []
  const refuse = (key: string, problem: boolean): void => {
    if (problem) {
      faults.push({
        message: `${key} is ${JSON.stringify(config[key])}, which this version cannot carry out`,
        where: path,
      })
    }
  }
  const filled = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && Object.keys(value).length > 0
  refuse('peft_type', config.peft_type !== 'LORA')
  refuse('bias', config.bias !== undefined && config.bias !== 'none')
  refuse('modules_to_save', filled(config.modules_to_save))
  refuse('rank_pattern', filled(config.rank_pattern))
  refuse('alpha_pattern', filled(config.alpha_pattern))
  refuse('fan_in_fan_out', config.fan_in_fan_out === true)
  // These train against changed base weights, act on some tokens only, or add parameters of another kind.
  refuse('init_lora_weights', !PLAIN_STARTS.has(config.init_lora_weights ?? true))
  refuse('alora_invocation_tokens', (config.alora_invocation_tokens ?? null) !== null)
  for (const key of ['use_qalora', 'use_bdlora', 'lora_bias']) refuse(key, Boolean(config[key]))
  for (const key of ['layer_replication', 'target_parameters', 'trainable_token_indices']) {
    refuse(key, filled(config[key]))
  }
  return faults
}

function wholeNumber(value: unknown, key: string, path: string, faults: Fault[]): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
  faults.push({message: `${key} is ${JSON.stringify(value ?? null)}, expected a whole number above 0`, where: path})
  return 1
}

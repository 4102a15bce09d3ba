/** adapter_config.json of PEFT's LoRA: what it says of the tensors, and what in it this version cannot carry out. */
import {type Fault} from '../errors.js'
import {matchPatterns} from './peft-patterns.js'

export type PeftConfig = Readonly<Record<string, unknown>>

/** Ways to start A and B that leave the base as it is. */
const PLAIN_STARTS: ReadonlySet<unknown> = new Set([true, false, 'gaussian', 'orthogonal', 'eva'])

/** fan_in_fan_out is not looked at: it is of Conv1D layers of GPT-2, and PEFT itself ignores it for those of Mamba. */
export function unsupportedIn(config: PeftConfig, path: string): Fault[] {
  const faults: Fault[] = []
  const refuse = (key: string, problem: boolean): void => {
    if (problem) {
      faults.push({
        message: `${key} is ${JSON.stringify(config[key])}, which this version cannot carry out`,
        where: path,
      })
    }
  }
  refuse('peft_type', config.peft_type !== 'LORA')
  refuse('use_dora', config.use_dora === true)
  refuse('bias', !['all', 'lora_only', 'none'].includes((config.bias ?? 'none') as string))
  refuse('modules_to_save', !isListOfTexts(config.modules_to_save ?? []))
  // These train against changed base weights, act on some tokens only, or add parameters of another kind.
  refuse('init_lora_weights', !PLAIN_STARTS.has(config.init_lora_weights ?? true))
  refuse('alora_invocation_tokens', (config.alora_invocation_tokens ?? null) !== null)
  for (const key of ['use_qalora', 'use_bdlora', 'lora_bias']) refuse(key, Boolean(config[key]))
  for (const key of ['layer_replication', 'target_parameters', 'trainable_token_indices']) {
    refuse(key, filled(config[key]))
  }
  return faults
}

function filled(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

export function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

export interface ByModule {
  readonly rank: number
  readonly alpha: number
}

/** Rank and alpha of each module, by its name in PEFT. Faults are added to the list; the numbers are then of no use. */
export function ranksAndAlphas(
  config: PeftConfig,
  modules: readonly string[],
  path: string,
  faults: Fault[],
): readonly ByModule[] {
  const ranks = byPattern(config, {fallback: 'r', pattern: 'rank_pattern'}, isRank, modules, path, faults)
  const alphas = byPattern(config, {fallback: 'lora_alpha', pattern: 'alpha_pattern'}, isAlpha, modules, path, faults)
  return modules.map((_, index) => ({alpha: alphas[index] ?? 1, rank: ranks[index] ?? 1}))
}

const isRank = (value: unknown): string | null =>
  Number.isSafeInteger(value) && (value as number) > 0 ? null : 'a whole number above 0'

const isAlpha = (value: unknown): string | null =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? null : 'a number above 0'

function byPattern(
  config: PeftConfig,
  {fallback, pattern}: {readonly fallback: string; readonly pattern: string},
  expected: (value: unknown) => string | null,
  modules: readonly string[],
  path: string,
  faults: Fault[],
): readonly number[] {
  const known = faults.length
  const check = (name: string, value: unknown): void => {
    const wanted = expected(value)
    if (wanted === null) return
    faults.push({message: `${name} is ${JSON.stringify(value ?? null)}, expected ${wanted}`, where: path})
  }
  check(fallback, config[fallback])
  const own = config[pattern] ?? {}
  if (typeof own !== 'object' || Array.isArray(own)) {
    faults.push({message: `${pattern} is ${JSON.stringify(own)}, expected values by module`, where: path})
    return []
  }
  const keys = Object.keys(own)
  const values = Object.values(own)
  for (const [index, key] of keys.entries()) check(`${pattern} ${JSON.stringify(key)}`, values[index])
  const {faults: ofKeys, matches} = matchPatterns(keys, modules)
  for (const message of ofKeys) faults.push({message: `${pattern} ${message}`, where: path})
  if (faults.length > known) return []
  return matches.map((match) => (match < 0 ? config[fallback] : values[match]) as number)
}

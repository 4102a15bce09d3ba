/**
 * The layout of Mamba's authors (github.com/state-spaces/mamba: config_mamba.py, mixer_seq_simple.py): a config of `d_model`,
 * `n_layer` and `ssm_cfg`, and `backbone.embedding` where Hugging Face says `backbone.embeddings`. Everything that is read
 * is translated to Hugging Face's names here, so that nothing above knows of it; to-original-layout.ts goes back.
 */
import {type Fault} from '../errors.js'
import {quoted} from './file-faults.js'
import {isObject, type JsonObject} from './json-file.js'
import {type TensorEntry} from './safetensors-header.js'

export type Layout = 'hf' | 'original'

export const ORIGINAL_EMBEDDING = 'backbone.embedding.weight'
export const EMBEDDING = 'backbone.embeddings.weight'
export const HEAD = 'lm_head.weight'

export function layoutOf(config: JsonObject): Layout {
  return config.model_type === undefined && config.d_model !== undefined ? 'original' : 'hf'
}

export interface TranslatedConfig {
  readonly config: JsonObject
  readonly layout: Layout
  readonly faults: readonly Fault[]
}

/** A config in Hugging Face's words, whichever it was written in. */
export function translateConfig(config: JsonObject, where: string): TranslatedConfig {
  if (layoutOf(config) === 'hf') return {config, faults: [], layout: 'hf'}
  const reader = new Reader(config, where)
  const translated = fromOriginal(reader)
  return {config: translated, faults: reader.faults, layout: 'original'}
}

/**
 * Tensors by Hugging Face's names. The authors' files repeat a head that is the embedding; Hugging Face's do not, and so
 * both have the same fingerprint.
 */
export function translateTensors(
  tensors: ReadonlyMap<string, TensorEntry>,
  {config, layout}: TranslatedConfig,
): ReadonlyMap<string, TensorEntry> {
  if (!tensors.has(ORIGINAL_EMBEDDING) || tensors.has(EMBEDDING)) return tensors
  const repeated = layout === 'original' && config.tie_word_embeddings === true
  const kept = [...tensors.values()].filter(({name}) => !(repeated && name === HEAD))
  const renamed = kept.map((entry) => (entry.name === ORIGINAL_EMBEDDING ? {...entry, name: EMBEDDING} : entry))
  return new Map(renamed.map((entry) => [entry.name, entry]))
}

/** Reads values of the config and collects what is wrong; what must have one value only is held to it. */
class Reader {
  readonly faults: Fault[] = []
  /** ssm_cfg */
  readonly part: JsonObject

  constructor(
    readonly config: JsonObject,
    private readonly where: string,
  ) {
    const {ssm_cfg: part = {}} = config
    this.part = isObject(part) ? part : {}
    if (!isObject(part)) this.refuse('ssm_cfg', part, 'an object')
  }

  private name(from: JsonObject, key: string): string {
    return from === this.part ? `ssm_cfg.${key}` : key
  }

  refuse(key: string, value: unknown, expected: string): void {
    this.faults.push({message: `${key} is ${quoted(value ?? null)}, expected ${expected}`, where: this.where})
  }

  whole(from: JsonObject, key: string, fallback?: number): number {
    const value = from[key] ?? fallback
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
    this.refuse(this.name(from, key), value, 'a whole number above 0')
    return 1
  }

  flag(from: JsonObject, key: string, fallback: boolean): boolean {
    const value = from[key] ?? fallback
    if (typeof value === 'boolean') return value
    this.refuse(this.name(from, key), value, 'true or false')
    return fallback
  }

  /** Each key is absent or null, or has the only value that this program computes. */
  only(from: JsonObject, values: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(values)) {
      const given = from[key] ?? value
      const empty = isEmpty(given) && isEmpty(value)
      if (!empty && given !== value) {
        this.refuse(this.name(from, key), given, `${quoted(value)}: nothing else is computed here`)
      }
    }
  }

  known(from: JsonObject, keys: readonly string[]): void {
    for (const key of Object.keys(from)) {
      if (!keys.includes(key)) this.refuse(this.name(from, key), from[key], `one of ${keys.join(', ')}`)
    }
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** Keys of ssm_cfg that matter only to a model that is not trained yet, or to how fast it is. */
const WITHOUT_EFFECT = ['dt_min', 'dt_max', 'dt_init_floor', 'use_mem_eff_path']

function fromOriginal(reader: Reader): JsonObject {
  const {config, part} = reader
  reader.only(config, {attn_cfg: {}, attn_layer_idx: [], d_intermediate: 0, rms_norm: true})
  const layer = part.layer ?? 'Mamba1'
  if (layer !== 'Mamba1' && layer !== 'Mamba2') reader.refuse('ssm_cfg.layer', layer, '"Mamba1" or "Mamba2"')
  const hidden = reader.whole(config, 'd_model')
  const inner = Math.trunc(reader.whole(part, 'expand', 2) * hidden)
  const multiple = reader.whole(config, 'pad_vocab_size_multiple', 8)
  const common = {
    hidden_size: hidden,
    num_hidden_layers: reader.whole(config, 'n_layer'),
    vocab_size: multiple * Math.ceil(reader.whole(config, 'vocab_size') / multiple),
    expand: reader.whole(part, 'expand', 2),
    conv_kernel: reader.whole(part, 'd_conv', 4),
    hidden_act: 'silu',
    layer_norm_epsilon: 1e-5, // MambaLMHeadModel leaves MixerModel's norm_epsilon as it is
    residual_in_fp32: reader.flag(config, 'residual_in_fp32', true),
    tie_word_embeddings: reader.flag(config, 'tie_embeddings', true),
    use_bias: reader.flag(part, 'bias', false),
    use_conv_bias: reader.flag(part, 'conv_bias', true),
  }
  return layer === 'Mamba2' ? secondMamba(reader, common, inner) : firstMamba(reader, common, inner)
}

function firstMamba(reader: Reader, common: JsonObject & {hidden_size: number}, inner: number): JsonObject {
  const {part} = reader
  const known = ['layer', 'd_state', 'd_conv', 'expand', 'dt_rank', 'conv_bias', 'bias']
  reader.known(part, [...known, ...WITHOUT_EFFECT, 'dt_init', 'dt_scale', 'use_fast_path'])
  const rank = Math.ceil(common.hidden_size / 16)
  return {
    architectures: ['MambaForCausalLM'],
    model_type: 'mamba',
    ...common,
    intermediate_size: inner,
    state_size: reader.whole(part, 'd_state', 16),
    time_step_rank: part.dt_rank === 'auto' ? rank : reader.whole(part, 'dt_rank', rank),
  }
}

function secondMamba(reader: Reader, common: JsonObject, inner: number): JsonObject {
  const {part} = reader
  const known = ['layer', 'd_state', 'd_conv', 'expand', 'headdim', 'ngroups', 'conv_bias', 'bias', 'chunk_size']
  const fixed = {D_has_hdim: false, conv_init: null, norm_before_gate: false, rmsnorm: true}
  reader.known(part, [...known, ...WITHOUT_EFFECT, ...Object.keys(fixed), 'A_init_range', 'd_ssm', 'dt_limit'])
  reader.only(part, {...fixed, d_ssm: inner})
  const head = reader.whole(part, 'headdim', 64)
  if (inner % head !== 0) reader.refuse('ssm_cfg.headdim', head, `a divisor of ${inner}, which is expand · d_model`)
  return {
    architectures: ['Mamba2ForCausalLM'],
    model_type: 'mamba2',
    ...common,
    state_size: reader.whole(part, 'd_state', 128),
    head_dim: head,
    num_heads: Math.trunc(inner / head),
    n_groups: reader.whole(part, 'ngroups', 1),
    chunk_size: reader.whole(part, 'chunk_size', 256),
    rms_norm: true,
    norm_before_gate: false,
    ...timeStepLimit(reader),
  }
}

/** Left out where there is none, as Hugging Face's default is none too. */
function timeStepLimit(reader: Reader): JsonObject {
  const {dt_limit: limit = [0, Infinity]} = reader.part
  const isPair = Array.isArray(limit) && limit.length === 2 && limit.every((value) => typeof value === 'number')
  if (!isPair) reader.refuse('ssm_cfg.dt_limit', limit, 'two numbers')
  const [low, high] = isPair ? (limit as [number, number]) : [0, Infinity]
  return low === 0 && high === Infinity ? {} : {time_step_limit: [low, high]}
}

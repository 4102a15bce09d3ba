/**
 * The shape of a Mamba-2 model, and the fields of its config.json as transformers' Mamba2Config writes them; defaults are its own. chunk_size,
 * residual_in_fp32 and time_step_rank change no result: the scan is exact for every chunk, and the stream is f32.
 */
import {type ConfigFields} from './config-fields.js'
import {type SharedConfig} from './shared-config.js'

export interface Mamba2Config extends SharedConfig {
  readonly architecture: 'mamba2'
  /** H: heads of the scan */
  readonly heads: number
  /** P: channels of a head; E = H · P */
  readonly headSize: number
  /** G: heads that follow one another share B and C */
  readonly groups: number
  /** Least and largest Δ after softplus */
  readonly timeStepLimit: readonly [low: number, high: number]
}

export function readMamba2Fields(fields: ConfigFields): Mamba2Config {
  const hidden = fields.whole('hidden_size', 4096)
  fields.only('hidden_act', 'silu')
  fields.only('rms_norm', true)
  const heads = fields.whole('num_heads', 128)
  const headSize = fields.whole('head_dim', 64)
  const groups = fields.whole('n_groups', 8)
  const inner = Math.trunc(hidden * fields.positive('expand', 2))
  if (fields.faults.length === 0) {
    if (heads * headSize !== inner) {
      fields.refuse('num_heads', `${inner / headSize}: expand × hidden_size / head_dim`, heads)
    }
    if (heads % groups !== 0) fields.refuse('n_groups', `a divisor of num_heads, which is ${heads}`, groups)
  }
  return {
    architecture: 'mamba2',
    convBias: fields.flag('use_conv_bias', true),
    convWidth: fields.whole('conv_kernel', 4),
    epsilon: fields.positive('layer_norm_epsilon', 1e-5),
    groups,
    headSize,
    heads,
    hidden,
    inner,
    layers: fields.whole('num_hidden_layers', 64),
    projectionBias: fields.flag('use_bias', false),
    states: fields.whole('state_size', 128),
    tied: fields.flag('tie_word_embeddings', false),
    timeStepLimit: timeStepLimit(fields),
    vocabulary: fields.whole('vocab_size', 32_768),
  }
}

/** [low, high]; Infinity is a bare word in JSON that Python writes, or {"__float__": "Infinity"} from transformers 5 on. */
function timeStepLimit(fields: ConfigFields): readonly [number, number] {
  const given = fields.value('time_step_limit') ?? [0, Infinity]
  const numbers = Array.isArray(given) ? given.map(toNumber) : []
  const [low = NaN, high = NaN] = numbers
  if (numbers.length === 2 && low >= 0 && low < Infinity && high >= low) return [low, high]
  fields.refuse('time_step_limit', 'two numbers from 0 on, the lower one first, such as [0.0, Infinity]', given)
  return [0, Infinity]
}

function toNumber(value: unknown): number {
  if (typeof value === 'number') return value
  const wrapped = typeof value === 'object' && value !== null ? (value as {__float__?: unknown}).__float__ : undefined
  return wrapped === 'Infinity' ? Infinity : NaN
}

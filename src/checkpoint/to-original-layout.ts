/**
 * The way back from original-layout.ts: a config and tensors in Hugging Face's words as Mamba's authors write them. What
 * their program cannot compute is refused.
 */
import {type Fault} from '../errors.js'
import {quoted} from './file-faults.js'
import {isObject, type JsonObject} from './json-file.js'
import {EMBEDDING, HEAD, ORIGINAL_EMBEDDING} from './original-layout.js'

/** What their padded vocabulary is a multiple of by default. */
const VOCABULARY_MULTIPLE = 8

/** transformers' defaults of the keys that are read below */
const DEFAULTS: Readonly<Record<'mamba' | 'mamba2', JsonObject>> = {
  mamba: {conv_kernel: 4, expand: 2, layer_norm_epsilon: 1e-5, state_size: 16, use_bias: false, use_conv_bias: true},
  mamba2: {
    chunk_size: 256,
    conv_kernel: 4,
    expand: 2,
    head_dim: 64,
    layer_norm_epsilon: 1e-5,
    n_groups: 8,
    num_heads: 128,
    rms_norm: true,
    state_size: 128,
    use_bias: false,
    use_conv_bias: true,
  },
}

/** The authors' defaults, which their configs leave out */
const THEIR_DEFAULTS: Readonly<Record<'mamba' | 'mamba2', JsonObject>> = {
  mamba: {bias: false, conv_bias: true, d_conv: 4, d_state: 16, expand: 2},
  mamba2: {
    bias: false,
    chunk_size: 256,
    conv_bias: true,
    d_conv: 4,
    d_state: 128,
    expand: 2,
    headdim: 64,
    ngroups: 1,
  },
}

/** `where` names the config in messages. */
export function toOriginalConfig(
  config: JsonObject,
  where: string,
): {readonly config: JsonObject; readonly faults: readonly Fault[]} {
  const kind = config.model_type
  if (kind !== 'mamba' && kind !== 'mamba2') {
    const message = `model_type is ${quoted(kind ?? null)}; the original layout is of mamba and mamba2 only`
    return {config: {}, faults: [{message, where}]}
  }

  const full: JsonObject = {...DEFAULTS[kind], ...config}
  const hidden = Number(full.hidden_size)
  const faults = limitsOf(kind, full).map((message) => ({message, where}))
  const vocabulary = Number(full.vocab_size)
  return {
    config: {
      d_model: hidden,
      d_intermediate: 0,
      n_layer: full.num_hidden_layers,
      vocab_size: vocabulary,
      ssm_cfg: kind === 'mamba' ? firstMamba(full, hidden) : secondMamba(full),
      attn_layer_idx: [],
      attn_cfg: {},
      rms_norm: true,
      residual_in_fp32: full.residual_in_fp32 ?? true,
      fused_add_norm: true,
      pad_vocab_size_multiple: vocabulary % VOCABULARY_MULTIPLE === 0 ? VOCABULARY_MULTIPLE : 1,
      tie_embeddings: full.tie_word_embeddings ?? kind === 'mamba',
    },
    faults,
  }
}

/** What their program computes in one way only. */
function limitsOf(kind: 'mamba' | 'mamba2', full: JsonObject): string[] {
  const hidden = Number(full.hidden_size)
  const inner = Math.trunc(Number(full.expand) * hidden)
  const heads = Number(full.num_heads) * Number(full.head_dim)
  const own = kind === 'mamba' ? Number(full.intermediate_size ?? inner) : heads
  const faults: string[] = []
  if (full.layer_norm_epsilon !== 1e-5) {
    faults.push(`layer_norm_epsilon is ${quoted(full.layer_norm_epsilon)}; the original program has 1e-5 always`)
  }

  if (own !== inner) faults.push(`there are ${own} channels; the original program has expand · d_model, ${inner}`)
  if (kind === 'mamba2' && limitsIn(full) === null) {
    faults.push(`time_step_limit is ${quoted(full.time_step_limit)}, expected two numbers`)
  }

  if (kind === 'mamba2' && full.rms_norm !== true) faults.push(`rms_norm is ${quoted(full.rms_norm)}, expected true`)
  return faults
}

function firstMamba(full: JsonObject, hidden: number): JsonObject {
  const auto = Math.ceil(hidden / 16)
  const rank = full.time_step_rank ?? 'auto'
  return {...unusual('mamba', shared(full)), ...(rank === 'auto' || rank === auto ? {} : {dt_rank: rank})}
}

function secondMamba(full: JsonObject): JsonObject {
  const own = {chunk_size: full.chunk_size, headdim: full.head_dim, ngroups: full.n_groups}
  const [low, high] = limitsIn(full) ?? [0, Infinity]
  const limit = low === 0 && high === Infinity ? {} : {dt_limit: [low, high]}
  return {layer: 'Mamba2', ...unusual('mamba2', {...shared(full), ...own}), ...limit}
}

/** Two numbers; transformers 5 writes Infinity as {"__float__": "Infinity"}. Null for anything else. */
function limitsIn({time_step_limit: limits = [0, Infinity]}: JsonObject): readonly number[] | null {
  if (!Array.isArray(limits) || limits.length !== 2) return null
  const numbers = limits.map((limit: unknown) => (isObject(limit) ? Number(limit.__float__) : limit))
  return numbers.every((limit) => typeof limit === 'number' && !Number.isNaN(limit)) ? (numbers as number[]) : null
}

function shared(full: JsonObject): JsonObject {
  const {conv_kernel: width, expand, state_size: states, use_bias: bias, use_conv_bias: convBias} = full
  return {bias, conv_bias: convBias, d_conv: width, d_state: states, expand}
}

function unusual(kind: 'mamba' | 'mamba2', values: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([key, value]) => THEIR_DEFAULTS[kind][key] !== value))
}

/** Names in the authors' files → Hugging Face's. A head that is the embedding stands in their files once more. */
export function originalNames(names: Iterable<string>, tied: boolean): ReadonlyMap<string, string> {
  const result = new Map<string, string>()
  for (const name of names) result.set(name === EMBEDDING ? ORIGINAL_EMBEDDING : name, name)
  if (tied) result.set(HEAD, EMBEDDING)
  return result
}

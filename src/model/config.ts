/**
 * The shape of a Mamba model, read from a checkpoint's config.json as transformers' MambaConfig or FalconMambaConfig writes
 * it.
 * Letters are those of docs/notation.md. Only what changes the mathematics is kept.
 */
import {type Fault, FileError} from '../errors.js'

export interface MambaConfig {
  readonly architecture: 'mamba'
  /** d: width of the residual stream */
  readonly hidden: number
  /** E: channels of convolution and scan */
  readonly inner: number
  /** N: states of a channel */
  readonly states: number
  /** R: inner width of dt_proj */
  readonly timeStepRank: number
  /** K: width of the convolution */
  readonly convWidth: number
  readonly layers: number
  /** V: rows of the embedding, padding included */
  readonly vocabulary: number
  /** ε of every RMSNorm */
  readonly epsilon: number
  /** ε of the norms without weight on Δ (before dt_proj), B and C, which Falcon-Mamba has; null: there are none */
  readonly mixerEpsilon: number | null
  /** The head is the embedding. */
  readonly tied: boolean
  /** in_proj and out_proj have a bias. */
  readonly projectionBias: boolean
  readonly convBias: boolean
}

/** Reads and checks a config. `where` names the file in messages. Errors: FileError with every fault. */
export function readMambaConfig(raw: Readonly<Record<string, unknown>>, where: string): MambaConfig {
  if (raw.model_type !== 'mamba' && raw.model_type !== 'falcon_mamba') {
    throw new FileError(
      `${where} is a model of type ${JSON.stringify(raw.model_type ?? null)}, which this version does not read.`,
      {
        hint: 'Use a Mamba-1 checkpoint (model_type "mamba" or "falcon_mamba"), such as state-spaces/mamba-130m-hf.',
      },
    )
  }
  const faults: Fault[] = []
  const whole = (key: string, fallback?: number): number => {
    const value = raw[key] ?? fallback
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
    faults.push({message: `${key} is ${JSON.stringify(value ?? null)}, expected a whole number above 0`, where})
    return 1
  }
  const flag = (key: string, fallback: boolean): boolean => {
    const value = raw[key] ?? fallback
    if (typeof value === 'boolean') return value
    faults.push({message: `${key} is ${JSON.stringify(value)}, expected true or false`, where})
    return fallback
  }
  const positive = (key: string, fallback: number): number => {
    const value = raw[key] ?? fallback
    if (typeof value === 'number' && value > 0) return value
    faults.push({message: `${key} is ${JSON.stringify(value)}, expected a number above 0`, where})
    return fallback
  }
  const hidden = whole('hidden_size')
  const activation = raw.hidden_act ?? 'silu'
  if (activation !== 'silu') {
    faults.push({message: `hidden_act is ${JSON.stringify(activation)}, expected "silu"`, where})
  }
  const config: MambaConfig = {
    architecture: 'mamba',
    convBias: flag('use_conv_bias', true),
    convWidth: whole('conv_kernel', 4),
    epsilon: positive('layer_norm_epsilon', 1e-5),
    hidden,
    inner: whole('intermediate_size', Math.trunc(hidden * ((raw.expand as number | undefined) ?? 2))),
    layers: whole('num_hidden_layers'),
    mixerEpsilon: raw.model_type === 'falcon_mamba' ? positive('mixer_rms_eps', 1e-6) : null,
    projectionBias: flag('use_bias', false),
    states: whole('state_size', 16),
    tied: flag('tie_word_embeddings', true),
    timeStepRank:
      raw.time_step_rank === 'auto' ? Math.ceil(hidden / 16) : whole('time_step_rank', Math.ceil(hidden / 16)),
    vocabulary: whole('vocab_size'),
  }
  if (faults.length > 0) throw new FileError('The model configuration cannot be used.', {faults})
  return config
}

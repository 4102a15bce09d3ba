/**
 * The shape of a Mamba model, read from a checkpoint's config.json as transformers writes it: MambaConfig for Mamba-1,
 * FalconMambaConfig for Falcon-Mamba, Mamba2Config for Mamba-2. Letters are those of docs/notation.md. Only what changes the
 * mathematics is kept.
 */
import {FileError} from '../errors.js'
import {ConfigFields} from './config-fields.js'
import {type Mamba2Config, readMamba2Fields} from './mamba2-config.js'
import {type SharedConfig} from './shared-config.js'

export interface Mamba1Config extends SharedConfig {
  readonly architecture: 'mamba'
  /** R: inner width of dt_proj */
  readonly timeStepRank: number
  /** ε of the norms without weight on Δ (before dt_proj), B and C, which Falcon-Mamba has; null: there are none */
  readonly mixerEpsilon: number | null
}

export type MambaConfig = Mamba1Config | Mamba2Config

/** By model_type: what reads the fields that one architecture has. */
const READERS: Readonly<Record<string, ((fields: ConfigFields) => MambaConfig) | undefined>> = {
  falcon_mamba: (fields) => readMamba1Fields(fields, fields.positive('mixer_rms_eps', 1e-6)),
  mamba: (fields) => readMamba1Fields(fields, null),
  mamba2: readMamba2Fields,
}

/** Reads and checks a config. `where` names the file in messages. Errors: FileError with every fault. */
export function readMambaConfig(raw: Readonly<Record<string, unknown>>, where: string): MambaConfig {
  const type = raw.model_type
  const read = typeof type === 'string' && Object.hasOwn(READERS, type) ? READERS[type] : undefined
  if (!read) {
    throw new FileError(
      `${where} is a model of type ${JSON.stringify(type ?? null)}, which this version does not read.`,
      {
        hint: 'Use a Mamba checkpoint (model_type "mamba", "mamba2" or "falcon_mamba"), such as state-spaces/mamba-130m-hf.',
      },
    )
  }
  const fields = new ConfigFields(raw, where)
  const config = read(fields)
  if (fields.faults.length > 0) {
    throw new FileError('The model configuration cannot be used.', {faults: fields.faults})
  }
  return config
}

function readMamba1Fields(fields: ConfigFields, mixerEpsilon: number | null): Mamba1Config {
  const hidden = fields.whole('hidden_size')
  fields.only('hidden_act', 'silu')
  const rank = Math.ceil(hidden / 16)
  return {
    architecture: 'mamba',
    convBias: fields.flag('use_conv_bias', true),
    convWidth: fields.whole('conv_kernel', 4),
    epsilon: fields.positive('layer_norm_epsilon', 1e-5),
    hidden,
    inner: fields.whole('intermediate_size', Math.trunc(hidden * ((fields.value('expand') as number | null) ?? 2))),
    layers: fields.whole('num_hidden_layers'),
    mixerEpsilon,
    projectionBias: fields.flag('use_bias', false),
    states: fields.whole('state_size', 16),
    tied: fields.flag('tie_word_embeddings', true),
    timeStepRank: fields.value('time_step_rank') === 'auto' ? rank : fields.whole('time_step_rank', rank),
    vocabulary: fields.whole('vocab_size'),
  }
}

/**
 * What llama.cpp computes in one way only. A model that needs another is refused: its file would be read, and be wrong.
 * https://github.com/ggml-org/llama.cpp/blob/master/src/models/mamba-base.cpp
 */
import {type Fault, MismatchError} from '../errors.js'
import {type MambaConfig} from './config.js'

/** Errors: MismatchError with everything that llama.cpp would not compute. */
export function checkGguf(config: MambaConfig, where: string): void {
  const faults = limitsOf(config).map((message): Fault => ({message, where}))
  if (faults.length === 0) return
  throw new MismatchError('llama.cpp cannot run this model as it is; nothing was written.', {
    faults,
    hint: 'Use --format safetensors, which holds every model.',
  })
}

function limitsOf(config: MambaConfig): string[] {
  const {hidden, inner, projectionBias} = config
  const faults: string[] = []
  if (projectionBias) faults.push('use_bias: in_proj and out_proj have no bias in llama.cpp')
  if (config.architecture === 'mamba') {
    if (inner !== 2 * hidden) {
      faults.push(`there are ${inner} channels; llama.cpp has 2 · hidden_size, ${2 * hidden}, in Mamba-1`)
    }
    return faults
  }
  const {groups, timeStepLimit} = config
  if (inner % hidden !== 0) faults.push(`there are ${inner} channels, no multiple of hidden_size, ${hidden}`)
  if (timeStepLimit[0] !== 0 || timeStepLimit[1] !== Infinity) {
    faults.push(`time_step_limit is [${timeStepLimit.join(', ')}]; llama.cpp does not limit the time step`)
  }
  if (groups !== 1) {
    faults.push(
      `n_groups is ${groups}; llama.cpp norms each group by itself, transformers and we all channels together`,
    )
  }
  return faults
}

/** What llama.cpp computes a little differently, in words. */
export function differencesIn(config: MambaConfig): string[] {
  if (config.architecture === 'mamba2' || config.mixerEpsilon === null || config.mixerEpsilon === config.epsilon) {
    return []
  }
  return [
    `llama.cpp has one ε for all norms: those of dt, B and C get ${config.epsilon} instead of ${config.mixerEpsilon}`,
  ]
}

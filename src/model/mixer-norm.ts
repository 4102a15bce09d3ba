/**
 * A Mamba-1 checkpoint opened as a Falcon-Mamba one: its mixers put Δ (before dt_proj), B and C under an RMSNorm without a weight, which
 * keeps the scan finite where a checkpoint makes them very large. No tensor changes, only what config.json says: the result is
 * what transformers calls FalconMambaForCausalLM (Zuo et al., arXiv 2410.05355, section 3). It answers otherwise than the
 * checkpoint did, so training has to make up for it.
 */
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {MismatchError} from '../errors.js'
import {configOf} from './model-files.js'

/** ε that transformers gives Falcon-Mamba */
export const MIXER_EPSILON = 1e-6

/** Why a model of this architecture takes no such norm; null if it does. */
export function noMixerNorm({model_type: type}: ModelFiles['config']): string | null {
  return type === 'mamba2'
    ? "in Mamba-2 B and C come out of the convolution's SiLU and Δ straight from in_proj, the output has a norm of its own, and no config of it has a place for more"
    : null
}

/** The words of a config, with the norm. Those of a model that has it stay. */
export function withMixerNorm(words: ModelFiles['config'], epsilon: number): ModelFiles['config'] {
  return words.model_type === 'falcon_mamba'
    ? words
    : {...words, architectures: ['FalconMambaForCausalLM'], mixer_rms_eps: epsilon, model_type: 'falcon_mamba'}
}

/** An opened model, with the norm; null leaves it as it is. Errors: MismatchError for Mamba-2, and for a model with another ε. */
export function normedFiles(files: ModelFiles, epsilon: number | null): ModelFiles {
  if (epsilon === null) return files
  const {config, directory} = files
  const reason = noMixerNorm(config)
  const own = configOf(files)
  const found = own.architecture === 'mamba' ? own.mixerEpsilon : null
  if (reason === null && (found ?? epsilon) === epsilon) return {...files, config: withMixerNorm(config, epsilon)}
  throw new MismatchError('This model cannot be put under a norm on Δ, B and C.', {
    faults: [{message: reason ?? `mixer_rms_eps is ${found}, and would need to be ${epsilon}`, where: directory}],
    hint: 'Use the model that the adapter was trained on.',
  })
}

/** The text of a config.json of Mamba-1, with the norm. */
export function withMixerNormText(text: string, epsilon: number): string {
  return text
    .replace(/("model_type"\s*:\s*)"mamba"/, `$1"falcon_mamba",\n  "mixer_rms_eps": ${epsilon}`)
    .replace(/"MambaForCausalLM"/, '"FalconMambaForCausalLM"')
}

/**
 * Additional scan: k more states for every channel, with rows of B and C, and in Mamba-1 values of A, of their own:
 *
 *   y_t += Σ_k C′_t[k] h′_t[k],   h′_t[k] = exp(Δ_t A′[k]) h′_{t−1}[k] + Δ_t B′_t[k] u_t
 *
 * Yoshimura et al., MambaPEFT, arXiv 2411.03855. We differ at the start: only the rows of C′ are zero, so that a fresh adapter
 * changes nothing and yet has a gradient (zeros in B′ too would leave none; theirs start at random and change the model).
 * With `first_a: first` or `last` what is trained is A_log′ − A_log of that state, which starts as zero.
 *
 * In Mamba-2 A is one number for each head, which new states share; B′ and C′ are rows of in_proj and channels of the
 * convolution. Falcon-Mamba puts B and C under a norm over all N states, which more of them would change: refused.
 */
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {RecipeError} from '../errors.js'
import {growth} from './additional-scan-growth.js'
import {type AdditionalScanSettings} from './additional-scan-settings.js'
import {wrapMamba1} from './additional-scan-mamba1.js'
import {wrapMamba2} from './additional-scan-mamba2.js'
import {additionalScanSpecs} from './additional-scan-tensors.js'
import {type Attachment, type Method, type ParameterSpec} from './method.js'

/** What the scan of Mamba's authors takes, so that merged models run there too. */
const MOST_STATES = 256

function parameters(settings: AdditionalScanSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  refuse(settings, config)
  const layers = Array.from({length: config.layers}, (_, layer) => additionalScanSpecs(settings, config, layer))
  return new Map(layers.flat())
}

function refuse({states}: AdditionalScanSettings, config: MambaConfig): void {
  if (config.architecture !== 'mamba') return
  if (config.mixerEpsilon !== null) {
    throw new RecipeError('A model with a norm on B and C, such as Falcon-Mamba, takes no additional states.', {
      faults: [
        {
          message: `normalises B and C over all ${config.states} states of a channel, so more of them would change those that are there`,
          where: 'method',
        },
      ],
      hint: 'Use initial-state or state-offset here, or lora on x_proj.B and x_proj.C; leave model.stabilising_norm out if that is where the norm is from.',
    })
  }
  if (config.states + states > MOST_STATES) {
    throw new RecipeError('These are too many states.', {
      faults: [
        {
          message: `is ${states}, which makes ${config.states + states} states of a channel; expected at most ${MOST_STATES} in all, because the scan of Mamba's authors takes no more`,
          where: 'states',
        },
      ],
      hint: `Write ${MOST_STATES - config.states} or less.`,
    })
  }
}

function wrap(settings: AdditionalScanSettings, {config, ...attachment}: Attachment, base: Sites): Sites {
  return config.architecture === 'mamba2'
    ? wrapMamba2(settings, {...attachment, config}, base)
    : wrapMamba1(settings, {...attachment, config}, base)
}

export const additionalScan: Method<AdditionalScanSettings> = {
  merge: {growth, steps: () => new Map()},
  name: 'additional-scan',
  parameters,
  wrap,
}

/** Names, shapes and first values of the tensors of an additional scan. Rows of B′ come first, then those of C′. */
import {type MambaConfig} from '../model/config.js'
import {type Mamba2Config} from '../model/mamba2-config.js'
import {type AdditionalScanSettings} from './additional-scan-settings.js'
import {type ParameterSpec} from './method.js'
import {uniform, zeros} from './state-tensors.js'

export type AdditionalScanTensor = 'A_log' | 'conv1d.bias' | 'conv1d.weight' | 'in_proj' | 'x_proj'

export const additionalScanName = (layer: number, tensor: AdditionalScanTensor): string =>
  `layers.${layer}.mixer.additional_scan.${tensor}`

/** Whether what is trained is added to the A_log of a state of the model. */
export function isRelative({first_a: first}: AdditionalScanSettings): boolean {
  return first === 'first' || first === 'last'
}

export function additionalScanSpecs(
  settings: AdditionalScanSettings,
  config: MambaConfig,
  layer: number,
): [string, ParameterSpec][] {
  const {inner} = config
  const {states} = settings
  if (config.architecture === 'mamba2') return mamba2Specs(settings, config, layer)
  return [
    [additionalScanName(layer, 'x_proj'), withoutC([2 * states, inner], 1 / Math.sqrt(inner))], // (2k, E)
    [additionalScanName(layer, 'A_log'), firstA(settings, config)], // (E, k)
  ]
}

function mamba2Specs({states}: AdditionalScanSettings, config: Mamba2Config, layer: number): [string, ParameterSpec][] {
  const {convBias, convWidth, groups, hidden} = config
  const channels = 2 * groups * states
  const bias: [string, ParameterSpec] = [additionalScanName(layer, 'conv1d.bias'), zeros([channels])] // (2Gk)
  return [
    [additionalScanName(layer, 'in_proj'), withoutC([channels, hidden], 1 / Math.sqrt(hidden))], // (2Gk, d)
    [additionalScanName(layer, 'conv1d.weight'), uniform([channels, 1, convWidth], 1 / Math.sqrt(convWidth))], // (2Gk, 1, K)
    ...(convBias ? [bias] : []),
  ]
}

/** Random rows, the second half of them zero. */
function withoutC(shape: readonly [number, number], bound: number): ParameterSpec {
  const whole = uniform(shape, bound)
  return {initial: (random) => whole.initial(random).fill(0, (shape[0] * shape[1]) / 2), shape}
}

function firstA(settings: AdditionalScanSettings, {inner, states}: MambaConfig): ParameterSpec {
  const shape = [inner, settings.states]
  const {first_a: first} = settings
  if (isRelative(settings)) return zeros(shape)
  const valueOf = (added: number): number => Math.log(first === 's4d' ? states + 1 + added : (first as number))
  return {
    initial: () => Float32Array.from({length: inner * settings.states}, (_, at) => valueOf(at % settings.states)),
    shape,
  }
}

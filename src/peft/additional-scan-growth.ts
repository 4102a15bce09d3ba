/**
 * Merging an additional scan: a checkpoint with N + k states, which other programs load as it is. New states come last, in
 * Mamba-2 last in each group, as where they are attached:
 *
 *   Mamba-1   A_log ← [A_log, A_log′]      x_proj ← [dt | B, B′ | C, C′]
 *   Mamba-2   in_proj ← [z | x | B, B′ | C, C′ | dt]      conv1d ← [x | B, B′ | C, C′], weight and bias
 */
import {type Mamba1Config, type MambaConfig} from '../model/config.js'
import {type Mamba2Config} from '../model/mamba2-config.js'
import {checkpointName, parameterShapes} from '../model/parameters.js'
import {type AdditionalScanSettings} from './additional-scan-settings.js'
import {additionalScanName, type AdditionalScanTensor, isRelative} from './additional-scan-tensors.js'
import {type Growth, type GrownTensor, type Insertion, withRows} from './growth.js'
import {type ParameterValues} from './method.js'

export function growth(
  settings: AdditionalScanSettings,
  config: MambaConfig,
  parameters: ReadonlyMap<string, ParameterValues>,
): Growth {
  const states = config.states + settings.states
  const after: MambaConfig = {...config, states}
  const shapes = parameterShapes(after)
  const tensors = new Map<string, GrownTensor>()
  for (let layer = 0; layer < config.layers; layer++) {
    const value = (tensor: AdditionalScanTensor): Float32Array =>
      parameters.get(additionalScanName(layer, tensor))?.values ?? new Float32Array()
    const grown =
      config.architecture === 'mamba2' ? mamba2Tensors(settings, config, value) : mamba1Tensors(settings, config, value)
    for (const [tensor, grow] of grown) {
      const name = checkpointName(`layers.${layer}.mixer`, tensor)
      const shape = shapes.get(name)
      if (shape) tensors.set(name, {grow, shape})
    }
  }
  return {config: after, configKeys: {state_size: states}, tensors}
}

type Value = (tensor: AdditionalScanTensor) => Float32Array
type Grow = GrownTensor['grow']

function mamba1Tensors(
  settings: AdditionalScanSettings,
  {inner, states, timeStepRank}: Mamba1Config,
  value: Value,
): [string, Grow][] {
  const [b, c] = halves(value('x_proj')) // 2 × (k, E)
  const rows: Insertion[] = [
    {at: timeStepRank + states, values: b},
    {at: timeStepRank + 2 * states, values: c},
  ]
  return [
    ['x_proj.weight', (weight) => withRows(weight, inner, rows)],
    ['A_log', (aLog) => withStates(aLog, value('A_log'), settings, states)],
  ]
}

/** A_log (E, N + …) with what is trained (E, k) behind it, added to that of a state if it is relative to one. */
function withStates(
  aLog: Float32Array,
  added: Float32Array,
  settings: AdditionalScanSettings,
  states: number,
): Float32Array {
  const own = settings.states
  const insertions = Array.from({length: aLog.length / states}, (_, channel): Insertion => {
    const values = added.slice(channel * own, (channel + 1) * own)
    const from = !isRelative(settings) ? 0 : aLog[channel * states + (settings.first_a === 'first' ? 0 : states - 1)]
    return {at: (channel + 1) * states, values: values.map((value) => from + value)}
  })
  return withRows(aLog, 1, insertions)
}

function mamba2Tensors(
  settings: AdditionalScanSettings,
  {convWidth, groups, hidden, inner, states}: Mamba2Config,
  value: Value,
): [string, Grow][] {
  /** B′ and C′ behind the states of each group, where the rows of B begin at `first`. */
  const insertions = (first: number, rows: Float32Array): Insertion[] => {
    const size = rows.length / (2 * groups)
    return Array.from({length: 2 * groups}, (_, part) => ({
      at: first + (part + 1) * states,
      values: rows.subarray(part * size, (part + 1) * size),
    }))
  }
  const noBias = new Float32Array(2 * groups * settings.states)
  return [
    ['in_proj.weight', (weight) => withRows(weight, hidden, insertions(2 * inner, value('in_proj')))],
    ['in_proj.bias', (bias) => withRows(bias, 1, insertions(2 * inner, noBias))],
    ['conv1d.weight', (weight) => withRows(weight, convWidth, insertions(inner, value('conv1d.weight')))],
    ['conv1d.bias', (bias) => withRows(bias, 1, insertions(inner, value('conv1d.bias')))],
  ]
}

function halves(values: Float32Array): [Float32Array, Float32Array] {
  return [values.subarray(0, values.length / 2), values.subarray(values.length / 2)]
}

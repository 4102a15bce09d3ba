/**
 * The sites of an additional scan in Mamba-2. B′ and C′ take the way of the others, through in_proj, the convolution and the
 * scan, but beside them: they are made where in_proj is asked for, go through a convolution of their own where the layer's
 * runs, and join B and C before the scan. What one place leaves for the next one of its layer is kept in between only.
 *
 * The window that is carried has the new channels last.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type Mamba2Config} from '../model/mamba2-config.js'
import {convChannels} from '../model/parameters.js'
import {type AnyScanInputs, type AnyScanOutputs, type Sites} from '../model/sites.js'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {causalConv} from '../ops/causal-conv/causal-conv.js'
import {splitColumns} from '../ops/rows.js'
import {type AdditionalScanSettings} from './additional-scan-settings.js'
import {additionalScanName, type AdditionalScanTensor} from './additional-scan-tensors.js'
import {type Attachment} from './method.js'
import {joinStates, withEveryState} from './state-columns.js'

export function wrapMamba2(
  {states}: AdditionalScanSettings,
  {config, parameters}: Attachment & {readonly config: Mamba2Config},
  base: Sites,
): Sites {
  const {convWidth, groups} = config
  const channels = 2 * groups * states
  const value = <T extends tf.Tensor>(layer: number, tensor: AdditionalScanTensor): T =>
    parameters.get(additionalScanName(layer, tensor)) as T
  const projections = new Map(
    Array.from({length: config.layers}, (_, layer) => [`layers.${layer}.mixer.in_proj`, layer]),
  )
  const projected = new Map<number, tf.Tensor3D>() // by layer: (B, L, 2Gk)
  const convolved = new Map<number, tf.Tensor3D>() // by layer: (B, L, 2Gk)
  return {
    ...base,
    linear(name, x, terms) {
      const layer = projections.get(name)
      if (layer !== undefined) {
        const plain = {bias: null, update: null, weightTransposed: null}
        projected.set(layer, adaptedLinear({...plain, weight: value<tf.Tensor2D>(layer, 'in_proj'), x})) // (B, L, 2Gk)
      }
      return base.linear(name, x, terms)
    },
    conv(layer, inputs, run) {
      const [window, own] = divided(inputs.window, channels, config)
      const outputs = base.conv(layer, {...inputs, window}, run)
      const {last, y} = causalConv({
        bias: config.convBias ? value<tf.Tensor1D>(layer, 'conv1d.bias') : null,
        weight: value<tf.Tensor3D>(layer, 'conv1d.weight'),
        positions: inputs.positions ?? null,
        window: own,
        x: taken(projected, layer),
      })
      convolved.set(layer, y) // (B, L, 2Gk)
      return convWidth === 1 ? outputs : {...outputs, last: tf.concat3d([outputs.last, last], 2)} // (B, K−1, … + 2Gk)
    },
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ): Outputs {
      const [b, c] = splitColumns(taken(convolved, layer), [groups * states, groups * states]) // 2 × (B, L, Gk)
      const joined = {...inputs, b: joinStates(inputs.b, b, groups), c: joinStates(inputs.c, c, groups)} // (B, L, G (N + k))
      return base.scan(layer, joined, (whole) => run(withEveryState(whole, groups)))
    },
  }
}

function taken(between: Map<number, tf.Tensor3D>, layer: number): tf.Tensor3D {
  const tensor = between.get(layer)
  if (!tensor) throw new Error(`layer ${layer} was not asked for its projection before`)
  between.delete(layer)
  return tensor
}

/** A carried window (B, K−1, … + 2Gk) as the others' part and ours; one of the model's own channels is all theirs. */
function divided(
  window: tf.Tensor3D | null,
  channels: number,
  config: Mamba2Config,
): [tf.Tensor3D | null, tf.Tensor3D | null] {
  const others = (window?.shape[2] ?? 0) - channels
  if (!window || window.shape[2] === convChannels(config)) return [window, null]
  const [theirs, ours] = splitColumns(window, [others, channels])
  return [theirs, ours]
}

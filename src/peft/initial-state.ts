/**
 * A learned first state: h_0 of every layer's scan, (E, N) or for each head (H, P, N), and the window before the first token
 * of its convolution, (channels, K−1), shared by all sequences. Both start as zero, which is what the bare model has, so a
 * fresh adapter changes nothing. A constant prefix of tokens, or an affix of inputs, has no other effect on what follows than
 * such a state.
 *
 * With a rank r, h_0 = U Vᵀ (state-tensors.ts). With a scale α, h_0 = α S: S0 tuning.
 *
 * State tuning: Galim et al., arXiv 2410.09016, and Kang et al., arXiv 2503.03499. S0 tuning: Young, arXiv 2604.01168. We
 * differ by learning the window too, which has no scale, and by the rank.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from '../model/config.js'
import {convChannels} from '../model/parameters.js'
import {type AnyScanInputs, type AnyScanOutputs, type Sites} from '../model/sites.js'
import {type InitialStateSettings, noMergeOfInitialState} from './initial-state-settings.js'
import {type Attachment, type Method, type ParameterSpec} from './method.js'
import {stateOf, stateSpecs, zeros} from './state-tensors.js'

export const scanName = (layer: number): string => `layers.${layer}.mixer.initial_state.scan`
export const convName = (layer: number): string => `layers.${layer}.mixer.initial_state.conv`

function parameters(settings: InitialStateSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const specs = new Map<string, ParameterSpec>()
  for (let layer = 0; layer < config.layers; layer++) {
    const scan = settings.scan ? stateSpecs(scanName(layer), settings.rank, config) : []
    for (const [name, spec] of scan) specs.set(name, spec)
    if (settings.conv && config.convWidth > 1) {
      specs.set(convName(layer), zeros([convChannels(config), config.convWidth - 1]))
    }
  }
  return specs
}

/** The same state for every sequence of the batch. */
function forEachSequence(state: tf.Tensor, batch: number): tf.Tensor {
  return tf.tile(tf.expandDims(state, 0), [batch, ...state.shape.map(() => 1)])
}

function wrap(settings: InitialStateSettings, {begins, config, parameters: values}: Attachment, base: Sites): Sites {
  const value = (name: string): tf.Tensor => values.get(name) as tf.Tensor
  /** The learned state where rows begin, beside what the others go on with. */
  const beside = (given: tf.Tensor, learned: tf.Tensor): tf.Tensor =>
    begins
      ? tf.add(given, tf.mul(learned, tf.reshape(begins, [begins.size, ...learned.shape.slice(1).map(() => 1)])))
      : given
  return {
    ...base,
    conv(layer, inputs, run) {
      if (!settings.conv || config.convWidth === 1 || (inputs.window && !begins)) return base.conv(layer, inputs, run)
      const window = tf.transpose(value(convName(layer))) // (K−1, channels)
      const learned = forEachSequence(window, inputs.x.shape[0]) // (B, K−1, channels)
      const before = inputs.window ? beside(inputs.window, learned) : learned
      return base.conv(layer, {...inputs, window: before as tf.Tensor3D}, run)
    },
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ): Outputs {
      if (!settings.scan || (inputs.h0 && !begins)) return base.scan(layer, inputs, run)
      const state = stateOf(values, scanName(layer), settings.rank) // (E, N) or (H, P, N)
      const scaled = settings.scale === undefined ? state : tf.mul(state, settings.scale) // as before
      const learned = forEachSequence(scaled, inputs.delta.shape[0]) // (B, E, N) or (B, H, P, N)
      const h0 = inputs.h0 ? beside(inputs.h0, learned) : learned
      return base.scan(layer, {...inputs, h0}, run)
    },
  }
}

export const initialState: Method<InitialStateSettings> = {
  merge: noMergeOfInitialState,
  name: 'initial-state',
  parameters,
  wrap,
}

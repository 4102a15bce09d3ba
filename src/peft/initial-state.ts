/**
 * A learned first state: h_0 of every layer's scan, (E, N), and the window before the first token of its convolution,
 * (E, K−1), shared by all sequences. Both start as zero, which is what the bare model has, so a fresh adapter changes
 * nothing. A constant prefix of tokens, or an affix of inputs, has no other effect on what follows than such a state.
 *
 * State tuning: Galim et al., arXiv 2410.09016, and Kang et al., arXiv 2503.03499. We differ by learning the window too.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {type InitialStateSettings, noMergeOfInitialState} from './initial-state-settings.js'
import {type Attachment, type Method, type ParameterSpec} from './method.js'

const scanName = (layer: number): string => `layers.${layer}.mixer.initial_state.scan`
const convName = (layer: number): string => `layers.${layer}.mixer.initial_state.conv`

function zeros(shape: readonly number[]): ParameterSpec {
  return {initial: () => new Float32Array(tf.util.sizeFromShape([...shape])), shape}
}

function parameters(settings: InitialStateSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const specs = new Map<string, ParameterSpec>()
  for (let layer = 0; layer < config.layers; layer++) {
    if (settings.scan) specs.set(scanName(layer), zeros([config.inner, config.states]))
    if (settings.conv && config.convWidth > 1) specs.set(convName(layer), zeros([config.inner, config.convWidth - 1]))
  }
  return specs
}

/** The same matrix for every sequence of the batch. */
function forEachSequence(matrix: tf.Tensor2D, batch: number): tf.Tensor3D {
  return tf.tile(tf.expandDims<tf.Tensor3D>(matrix, 0), [batch, 1, 1])
}

function wrap(settings: InitialStateSettings, {config, parameters: values}: Attachment, base: Sites): Sites {
  return {
    ...base,
    conv(layer, inputs, run) {
      if (!settings.conv || config.convWidth === 1 || inputs.window) return base.conv(layer, inputs, run)
      const window = tf.transpose<tf.Tensor2D>(values.get(convName(layer)) as tf.Tensor2D) // (K−1, E)
      return base.conv(layer, {...inputs, window: forEachSequence(window, inputs.x.shape[0])}, run)
    },
    scan(layer, inputs, run) {
      if (!settings.scan || inputs.h0) return base.scan(layer, inputs, run)
      const state = values.get(scanName(layer)) as tf.Tensor2D // (E, N)
      return base.scan(layer, {...inputs, h0: forEachSequence(state, inputs.u.shape[0])}, run)
    },
  }
}

export const initialState: Method<InitialStateSettings> = {
  merge: noMergeOfInitialState,
  name: 'initial-state',
  parameters,
  wrap,
}

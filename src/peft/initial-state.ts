/**
 * A learned first state: h_0 of every layer's scan, (E, N) or for each head (H, P, N), and the window before the first token
 * of its convolution, (channels, K−1), shared by all sequences. Both start as zero, which is what the bare model has, so a
 * fresh adapter changes nothing. A constant prefix of tokens, or an affix of inputs, has no other effect on what follows than
 * such a state.
 *
 * With a rank r, h_0 = U Vᵀ, head by head where there are heads: U (…, r) starts as zero and V (N, r) as U(±1/√r).
 *
 * State tuning: Galim et al., arXiv 2410.09016, and Kang et al., arXiv 2503.03499. We differ by learning the window too, and
 * by the rank.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type MambaConfig} from '../model/config.js'
import {convChannels, stateShape} from '../model/parameters.js'
import {type AnyScanInputs, type AnyScanOutputs, type Sites} from '../model/sites.js'
import {type InitialStateSettings, noMergeOfInitialState} from './initial-state-settings.js'
import {type Attachment, type Method, type ParameterSpec} from './method.js'

const scanName = (layer: number): string => `layers.${layer}.mixer.initial_state.scan`
const convName = (layer: number): string => `layers.${layer}.mixer.initial_state.conv`

function zeros(shape: readonly number[]): ParameterSpec {
  return {initial: () => new Float32Array(tf.util.sizeFromShape([...shape])), shape}
}

function uniform(shape: readonly number[], bound: number): ParameterSpec {
  const length = tf.util.sizeFromShape([...shape])
  const draw = (random: RandomStream): number => (2 * random.uniform() - 1) * bound
  return {initial: (random) => Float32Array.from({length}, () => draw(random)), shape}
}

/** The tensors of one layer's first state of the scan. */
function scanSpecs({rank}: InitialStateSettings, config: MambaConfig, layer: number): [string, ParameterSpec][] {
  const shape = stateShape(config)
  if (rank === undefined) return [[scanName(layer), zeros(shape)]]
  const heads = shape.slice(0, -2) // (H), or ()
  const [rows, states] = shape.slice(-2) // P or E, N
  return [
    [`${scanName(layer)}.U`, zeros([...heads, rows, rank])],
    [`${scanName(layer)}.V`, uniform([...heads, states, rank], 1 / Math.sqrt(rank))],
  ]
}

function parameters(settings: InitialStateSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const specs = new Map<string, ParameterSpec>()
  for (let layer = 0; layer < config.layers; layer++) {
    if (settings.scan) for (const [name, spec] of scanSpecs(settings, config, layer)) specs.set(name, spec)
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

function wrap(settings: InitialStateSettings, {config, parameters: values}: Attachment, base: Sites): Sites {
  const value = (name: string): tf.Tensor => values.get(name) as tf.Tensor
  return {
    ...base,
    conv(layer, inputs, run) {
      if (!settings.conv || config.convWidth === 1 || inputs.window) return base.conv(layer, inputs, run)
      const window = tf.transpose(value(convName(layer))) // (K−1, channels)
      return base.conv(layer, {...inputs, window: forEachSequence(window, inputs.x.shape[0]) as tf.Tensor3D}, run)
    },
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ) {
      if (!settings.scan || inputs.h0) return base.scan(layer, inputs, run)
      const name = scanName(layer)
      const state =
        settings.rank === undefined ? value(name) : tf.matMul(value(`${name}.U`), value(`${name}.V`), false, true) // (E, N) or (H, P, N)
      const h0 = forEachSequence(state, inputs.delta.shape[0]) // (B, E, N) or (B, H, P, N)
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

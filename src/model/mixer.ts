/** One layer's mixer, whatever the architecture. */
import type * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from './config.js'
import {type LayerState, type MixerContext, type MixerOutputs} from './layer-state.js'
import {mambaMixer} from './mamba-mixer.js'
import {mamba2Mixer} from './mamba2-mixer.js'

/** hidden (B, L, d) → out (B, L, d) and the state after the last step. A null state is the start of a sequence. */
export function mixer(
  {config, ...context}: MixerContext<MambaConfig>,
  layer: number,
  hidden: tf.Tensor3D,
  state: LayerState | null,
): MixerOutputs {
  return config.architecture === 'mamba2'
    ? mamba2Mixer({...context, config}, layer, hidden, state)
    : mambaMixer({...context, config}, layer, hidden, state)
}

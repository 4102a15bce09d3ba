/**
 * State-offset tuning:  y_t += C_t h′ (form h) or y_t += y′ (form y), before the gate, at every step.
 * Kang et al., arXiv 2503.03499, section 4. h′ (E, N), in Mamba-2 (H, P, N), and y′ (E) start as zero. Unlike a first state
 * it does not fade. Form h is what N more states would give that nothing enters, that never decay, that start as h′ and are
 * read through the same C.
 *
 * The scan of Mamba-1 returns y gated, so there the offset is gated by itself: y · silu(z) + offset · silu(z). In Mamba-2 it
 * enters the gated norm with y. We differ by the form of the low rank: h′ = U Vᵀ of state-tensors.ts, without reshaping.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from '../model/config.js'
import {type AnyScanInputs, type AnyScanOutputs, type Sites} from '../model/sites.js'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {type Attachment, type Method, type ParameterSpec} from './method.js'
import {firstStates, groupsOf} from './state-columns.js'
import {noMergeOfStateOffset, type StateOffsetSettings} from './state-offset-settings.js'
import {stateOf, stateSpecs, zeros} from './state-tensors.js'

const offsetName = (layer: number, form: StateOffsetSettings['form']): string =>
  `layers.${layer}.mixer.state_offset.${form}`

function parameters({form, rank}: StateOffsetSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const layers = Array.from({length: config.layers}, (_, layer) => offsetName(layer, form))
  return new Map(
    form === 'y'
      ? layers.map((name) => [name, zeros([config.inner])] as const) // (E)
      : layers.flatMap((name) => stateSpecs(name, rank, config)),
  )
}

/** C h′: c (B, L, GN), h′ (E, N) or (H, P, N) → (B, L, E) */
function read(c: tf.Tensor3D, offset: tf.Tensor, config: MambaConfig): tf.Tensor3D {
  const {inner, states} = config
  const groups = groupsOf(config)
  const whole: tf.Tensor2D = tf.reshape(offset, [inner, states]) // (E, N)
  const rows: tf.Tensor2D[] = groups === 1 ? [whole] : tf.split(whole, groups) // G × (E / G, N)
  const parts = firstStates(c, groups, states).map((x, group) =>
    adaptedLinear<tf.Tensor3D>({
      bias: null,
      update: null,
      weight: rows[group],
      weightTransposed: null,
      x,
    }),
  ) // G × (B, L, E / G)
  return parts.length === 1 ? parts[0] : tf.concat3d(parts, 2) // (B, L, E)
}

function wrap({form, rank}: StateOffsetSettings, {config, parameters: values}: Attachment, base: Sites): Sites {
  return {
    ...base,
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ): Outputs {
      const outputs = base.scan(layer, inputs, run)
      const offset = stateOf(values, offsetName(layer, form), rank) // (E, N), (H, P, N), or (E)
      const added = form === 'y' ? offset : read(inputs.c, offset, config) // (E) or (B, L, E)
      const {z} = inputs
      const gated = z ? tf.mul(tf.mul(z, tf.sigmoid(z)), added) : added // as before, or (B, L, E)
      return {...outputs, y: tf.add(outputs.y, gated)} // (B, L, E)
    },
  }
}

export const stateOffset: Method<StateOffsetSettings> = {
  merge: noMergeOfStateOffset,
  name: 'state-offset',
  parameters,
  wrap,
}

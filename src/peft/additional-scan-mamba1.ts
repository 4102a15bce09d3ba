/**
 * The sites of an additional scan in Mamba-1. Everything happens where the scan is asked for: B′ and C′ are made of u, as
 * x_proj makes the others, and A, B and C reach the scan with columns for all states, the new ones last.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type Mamba1Config} from '../model/config.js'
import {type AnyScanInputs, type AnyScanOutputs, type Sites} from '../model/sites.js'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {splitColumns} from '../ops/rows.js'
import {type AdditionalScanSettings} from './additional-scan-settings.js'
import {additionalScanName, isRelative} from './additional-scan-tensors.js'
import {type Attachment} from './method.js'
import {joinStates, withEveryState} from './state-columns.js'

export function wrapMamba1(
  settings: AdditionalScanSettings,
  {config, parameters}: Attachment & {readonly config: Mamba1Config},
  base: Sites,
): Sites {
  const {states} = settings
  return {
    ...base,
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ): Outputs {
      const weight = parameters.get(additionalScanName(layer, 'x_proj')) as tf.Tensor2D // (2k, E)
      const plain = {bias: null, update: null, weightTransposed: null}
      const made = adaptedLinear<tf.Tensor3D>({...plain, weight, x: inputs.u as tf.Tensor3D}) // (B, L, 2k)
      const [b, c] = splitColumns(made, [states, states]) // 2 × (B, L, k)
      const aLog = parameters.get(additionalScanName(layer, 'A_log')) as tf.Tensor2D // (E, k)
      const a = decay(aLog, inputs.a as tf.Tensor2D, settings, config) // (E, k)
      const joined = {
        ...inputs,
        a: tf.concat([inputs.a, a], 1), // (E, N + k)
        b: joinStates(inputs.b, b, 1), // (B, L, N + k)
        c: joinStates(inputs.c, c, 1), // (B, L, N + k)
      }
      return base.scan(layer, joined, (whole) => run(withEveryState(whole, 1)))
    },
  }
}

/** A′ (E, k) = −exp(A_log′), or A of one of the model's own states times exp of what is trained. */
function decay(
  aLog: tf.Tensor2D,
  own: tf.Tensor2D, // (E, N + …)
  settings: AdditionalScanSettings,
  {inner}: Mamba1Config,
): tf.Tensor2D {
  const grown = tf.exp(aLog) // (E, k)
  if (!isRelative(settings)) return tf.neg(grown)
  const state = settings.first_a === 'first' ? 0 : own.shape[1] - 1
  return tf.mul(grown, tf.slice2d(own, [0, state], [inner, 1])) // (E, k)
}

/**
 * Factors of the step size:  Δ ← s Δ,  s = exp(θ), θ zero at the start; one for each layer or for each channel e.
 *
 * The scan is linear in what enters it, so with Δ → s_e Δ
 *
 *   h_t = exp(Δ s_e A) h_{t−1} + s_e Δ B u  =  s_e h′_t,   h′_t = exp(Δ s_e A) h′_{t−1} + Δ B u
 *   y   = Σ C h + D u                       =  s_e (Σ C h′ + (D / s_e) u)
 *
 * and the factors are changes of A_log (+ θ), of D (/ s) and of the columns of out_proj (· s). That is computed, and that is
 * merged: exact in Mamba-1, and in Falcon-Mamba too, because B, whose norm would undo a factor, is left alone. The carried
 * state is h′.
 *
 * In Mamba-2 a norm without a mean stands before out_proj. It undoes the factor s of y but for its ε, so y is multiplied before
 * it while attached, and a merge leaves that out: the certificate measures what is missing. Factors for each channel or head
 * would change the norm itself.
 *
 * One factor a layer: Azizi et al., MambaExtend, ICLR 2025. For each channel: our own extension of it.
 */
import * as tf from '@tensorflow/tfjs-core'
import {RecipeError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {checkpointName} from '../model/parameters.js'
import {addTerms, type AnyScanInputs, type AnyScanOutputs, type Sites} from '../model/sites.js'
import {type DeltaScaleSettings} from './delta-scale-settings.js'
import {type Attachment, type MergeStep, type Method, type ParameterSpec, type ParameterValues} from './method.js'
import {zeros} from './zero-start.js'

const thetaName = (layer: number): string => `layers.${layer}.mixer.delta_scale`

function parameters({per}: DeltaScaleSettings, config: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  if (per === 'channel' && config.architecture === 'mamba2') throw noChannels()
  const shape = [per === 'channel' ? config.inner : 1] // (E), or (1)
  return new Map(Array.from({length: config.layers}, (_, layer) => [thetaName(layer), zeros(shape)]))
}

function noChannels(): RecipeError {
  return new RecipeError('delta-scale for each channel is not defined for Mamba-2.', {
    faults: [
      {
        message:
          'is channel, but Δ belongs to heads there, and factors of heads cannot be moved past the norm after the scan',
        where: 'per',
      },
    ],
    hint: 'Write per: layer; or train Δ itself with {method: partial, targets: [dt_bias]}.',
  })
}

const PLACE = /^(?:backbone\.)?layers\.(\d+)\.mixer\.(A_log|D|out_proj)$/

function wrap(_settings: DeltaScaleSettings, {config, parameters: values}: Attachment, base: Sites): Sites {
  const placeOf = (name: string): {theta: tf.Tensor1D; part: string} | null => {
    const [, layer, part] = PLACE.exec(name) ?? []
    return part ? {part, theta: values.get(thetaName(Number(layer))) as tf.Tensor1D} : null // (E), or (1)
  }
  const isMamba1 = config.architecture === 'mamba'
  return {
    ...base,
    linear(name, x, terms = []) {
      const place = isMamba1 ? placeOf(name) : null
      if (!place) return base.linear(name, x, terms)
      return addTerms(base.linear(name, tf.mul(x, tf.exp(place.theta))), x, terms, (own) => base.linear(name, x, own)) // (B, L, d)
    },
    parameter(name, value) {
      const plain = base.parameter(name, value)
      const place = placeOf(name)
      if (place?.part === 'D') return tf.mul(plain, tf.exp(tf.neg(place.theta))) // (E), or (H)
      if (place?.part !== 'A_log') return plain
      return tf.add(plain, isMamba1 ? tf.expandDims(place.theta, 1) : place.theta) // (E, N), or (H)
    },
    scan<Inputs extends AnyScanInputs, Outputs extends AnyScanOutputs>(
      layer: number,
      inputs: Inputs,
      run: (inputs: Inputs) => Outputs,
    ) {
      const outputs = base.scan(layer, inputs, run)
      if (isMamba1) return outputs
      const theta = values.get(thetaName(layer)) as tf.Tensor1D // (1)
      return {...outputs, y: tf.mul(outputs.y, tf.exp(theta))} // (B, L, E)
    },
  }
}

function steps(
  _settings: DeltaScaleSettings,
  config: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  const result = new Map<string, MergeStep>()
  for (let layer = 0; layer < config.layers; layer++) {
    const theta = values.get(thetaName(layer))?.values ?? new Float32Array()
    // Of the channel or head of a number, whose row or column is `index`
    const thetaOf = (index: number): number => theta[theta.length === 1 ? 0 : index]
    const tensor = (name: string): string => checkpointName(`layers.${layer}.mixer`, name)
    const states = config.architecture === 'mamba' ? config.states : 1
    result.set(tensor('A_log'), (aLog) => {
      for (let i = 0; i < aLog.length; i++) aLog[i] += thetaOf(Math.trunc(i / states))
    })
    result.set(tensor('D'), (d) => {
      for (let i = 0; i < d.length; i++) d[i] /= Math.exp(thetaOf(i))
    })
    if (config.architecture !== 'mamba') continue
    result.set(tensor('out_proj.weight'), (weight) => {
      for (let i = 0; i < weight.length; i++) weight[i] *= Math.exp(thetaOf(i % config.inner))
    })
  }
  return result
}

function caveat(_settings: DeltaScaleSettings, config: MambaConfig): string | null {
  return config.architecture === 'mamba2'
    ? 'delta-scale merges into Mamba-2 up to the ε of the norm after the scan, which counts where activations are small'
    : null
}

export const deltaScale: Method<DeltaScaleSettings> = {merge: {caveat, steps}, name: 'delta-scale', parameters, wrap}

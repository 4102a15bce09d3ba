/**
 * The Mamba language model:  h = embed(ids);  h += mixer(norm(h)) for each layer;  logits = head(norm_f(h)).
 * It mirrors MambaForCausalLM of transformers' modeling_mamba.py, and Mamba2ForCausalLM. The residual stream is f32 throughout.
 */
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {embedding} from '../ops/embedding/embedding.js'
import {linearCrossEntropy} from '../ops/linear-cross-entropy/linear-cross-entropy.js'
import {addRmsNorm} from '../ops/rms-norm/add-rms-norm.js'
import {rmsNorm} from '../ops/rms-norm/rms-norm.js'
import {type MambaConfig} from './config.js'
import {type LayerState, type MixerOutputs} from './layer-state.js'
import {mixer as mixerOf} from './mixer.js'
import {checkpointName, EMBEDDINGS, FINAL_NORM, HEAD} from './parameters.js'
import {type Sites} from './sites.js'
import {type Matrix, type Weights} from './weights.js'

export interface LanguageModel {
  readonly config: MambaConfig
  readonly weights: Weights
}

/** One state a layer. */
export type ModelState = readonly LayerState[]

/** One layer on the residual stream (B, L, d): h → h + mixer(norm(h)). */
export type Layer = (hidden: tf.Tensor3D) => tf.Tensor3D

export interface ForwardOptions {
  /** What earlier parts of the sequences left; null is their start. */
  readonly state?: ModelState | null
  /** Runs each layer instead of calling it. The layer may be run again later; no state comes out then. */
  readonly runLayer?: (layer: Layer, hidden: tf.Tensor3D) => tf.Tensor3D
}

/** The normalised last hidden states (B, L, d), and the state after the last step. */
export interface Forwarded {
  readonly hidden: tf.Tensor3D
  readonly state: ModelState
}

/** ids (B, L) → hidden (B, L, d) and state */
export function forward(
  model: LanguageModel,
  sites: Sites,
  ids: tf.Tensor2D,
  {runLayer, state = null}: ForwardOptions = {},
): Forwarded {
  const {config, weights} = model
  const parameter = <T extends tf.Tensor>(name: string): T => sites.parameter(name, weights.get(name)) as T
  const parts: Parts = {
    epsilon: config.epsilon,
    layers: config.layers,
    mixer: (layer, normed) => mixerOf({config, sites, weights}, layer, normed, state?.[layer] ?? null),
    norm: (layer) => parameter(layer < config.layers ? checkpointName(`layers.${layer}`, 'norm.weight') : FINAL_NORM),
  }
  const hidden = embedding(ids, parameter(EMBEDDINGS)) // (B, L, d)
  return runLayer ? layerByLayer(parts, hidden, runLayer) : inOnePiece(parts, hidden)
}

interface Parts {
  readonly layers: number
  readonly epsilon: number
  /** The weight of the norm before a layer; the one after the last is the final norm's. */
  readonly norm: (layer: number) => tf.Tensor1D // (d)
  readonly mixer: (layer: number, normed: tf.Tensor3D) => MixerOutputs
}

/** An addition to the stream and the norm of the layer that follows are one operation. */
function inOnePiece({epsilon, layers, mixer, norm}: Parts, embedded: tf.Tensor3D): Forwarded {
  let hidden = embedded // (B, L, d)
  let normed = rmsNorm(hidden, norm(0), epsilon) // (B, L, d)
  const after: LayerState[] = []
  for (let layer = 0; layer < layers; layer++) {
    // What nothing keeps for a gradient is freed with its layer.
    const next = tf.tidy(() => {
      const {out, state} = mixer(layer, normed)
      return {...addRmsNorm(hidden, out, norm(layer + 1), epsilon), state: {...state}}
    })
    tf.dispose([hidden, normed])
    ;({normed, sum: hidden} = next)
    after.push(next.state)
  }
  return {hidden: normed, state: after}
}

function layerByLayer(
  {epsilon, layers, mixer, norm}: Parts,
  embedded: tf.Tensor3D,
  runLayer: NonNullable<ForwardOptions['runLayer']>,
): Forwarded {
  let hidden = embedded // (B, L, d)
  for (let layer = 0; layer < layers; layer++) {
    const run: Layer = (before) => tf.add(before, mixer(layer, rmsNorm(before, norm(layer), epsilon)).out)
    hidden = runLayer(run, hidden)
  }
  return {hidden: rmsNorm(hidden, norm(layers), epsilon), state: []}
}

/** hidden (B, L, d) → logits (B, L, V). For a loss use summedLoss, which never holds the logits of a batch. */
export function logitsOf(model: LanguageModel, sites: Sites, hidden: tf.Tensor3D): tf.Tensor3D {
  const {transposed, weight} = headOf(model, sites)
  return adaptedLinear({bias: null, update: null, weight, weightTransposed: transposed, x: hidden})
}

/** Summed cross-entropy of hidden (B, L, d) against labels (B, L), already shifted; −100 is ignored. */
export function summedLoss(model: LanguageModel, sites: Sites, hidden: tf.Tensor3D, labels: tf.Tensor2D): tf.Scalar {
  const {transposed, weight} = headOf(model, sites)
  const {hidden: width} = model.config
  return linearCrossEntropy({
    hidden: tf.reshape(hidden, [labels.size, width]), // (B·L, d)
    labels: tf.reshape(labels, [labels.size]), // (B·L)
    weight,
    weightTransposed: transposed,
  })
}

/** A tied head is the embedding with whatever adapters make of it. The transposed copy is of the frozen matrix only. */
function headOf({config, weights}: LanguageModel, sites: Sites): Matrix {
  const name = config.tied ? EMBEDDINGS : HEAD
  const frozen = weights.matrix(name)
  const weight = sites.parameter(name, frozen.weight) as tf.Tensor2D // (V, d)
  return weight === frozen.weight ? frozen : {transposed: null, weight}
}

/**
 * The Mamba language model:  h = embed(ids);  h += mixer(norm(h)) for each layer;  logits = head(norm_f(h)).
 * It mirrors MambaForCausalLM of transformers' modeling_mamba.py. The residual stream is f32 throughout.
 */
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear} from '../ops/adapted-linear/adapted-linear.js'
import {embedding} from '../ops/embedding/embedding.js'
import {linearCrossEntropy} from '../ops/linear-cross-entropy/linear-cross-entropy.js'
import {rmsNorm} from '../ops/rms-norm/rms-norm.js'
import {type MambaConfig} from './config.js'
import {type LayerState, mambaMixer} from './mamba-mixer.js'
import {checkpointName, EMBEDDINGS, FINAL_NORM, HEAD} from './parameters.js'
import {type Sites} from './sites.js'
import {type Weights} from './weights.js'

export interface LanguageModel {
  readonly config: MambaConfig
  readonly weights: Weights
}

/** One state a layer. */
export type ModelState = readonly LayerState[]

/** ids (B, L) → the normalised last hidden states (B, L, d), and the state after the last step. */
export function forward(
  {config, weights}: LanguageModel,
  sites: Sites,
  ids: tf.Tensor2D,
  state: ModelState | null = null,
): {hidden: tf.Tensor3D; state: ModelState} {
  const parameter = <T extends tf.Tensor>(name: string): T => sites.parameter(name, weights.get(name)) as T
  let hidden = embedding(ids, parameter(EMBEDDINGS)) // (B, L, d)
  const after: LayerState[] = []
  for (let layer = 0; layer < config.layers; layer++) {
    const norm = parameter<tf.Tensor1D>(checkpointName(`layers.${layer}`, 'norm.weight'))
    const normed = rmsNorm(hidden, norm, config.epsilon) // (B, L, d)
    const mixed = mambaMixer({config, sites, weights}, layer, normed, state?.[layer] ?? null)
    hidden = tf.add(hidden, mixed.out)
    after.push(mixed.state)
  }
  return {hidden: rmsNorm(hidden, parameter(FINAL_NORM), config.epsilon), state: after}
}

/** hidden (B, L, d) → logits (B, L, V). For a loss use summedLoss, which never holds the logits of a batch. */
export function logitsOf(model: LanguageModel, hidden: tf.Tensor3D): tf.Tensor3D {
  const {transposed, weight} = headOf(model)
  return adaptedLinear({bias: null, update: null, weight, weightTransposed: transposed, x: hidden})
}

/** Summed cross-entropy of hidden (B, L, d) against labels (B, L), already shifted; −100 is ignored. */
export function summedLoss(model: LanguageModel, hidden: tf.Tensor3D, labels: tf.Tensor2D): tf.Scalar {
  const {transposed, weight} = headOf(model)
  const {hidden: width} = model.config
  return linearCrossEntropy({
    hidden: tf.reshape(hidden, [labels.size, width]), // (B·L, d)
    labels: tf.reshape(labels, [labels.size]), // (B·L)
    weight,
    weightTransposed: transposed,
  })
}

function headOf({config, weights}: LanguageModel): ReturnType<Weights['matrix']> {
  return weights.matrix(config.tied ? EMBEDDINGS : HEAD)
}

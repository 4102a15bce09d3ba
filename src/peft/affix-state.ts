/**
 * Learned inputs that stand before every sequence → the state that they leave, which is all that they do to what follows:
 *
 *   affix    n vectors a layer behind in_proj, before its convolution (MambaPEFT's affix-tuning)
 *   prefix   n vectors a layer before in_proj
 *   prompt   n vectors before the first layer, in place of embeddings (soft prompts; PEFT's prompt tuning)
 *
 * Yoshimura et al., MambaPEFT, arXiv 2411.03855. The gate half of an affix in Mamba-1 reaches no output that is kept, so files
 * may leave it out.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type LanguageModel, forward, type ModelState} from '../model/language-model.js'
import {mixer} from '../model/mixer.js'
import {EMBEDDINGS} from '../model/parameters.js'
import {baseSites, type Sites} from '../model/sites.js'
import {type AffixKind, type AffixTensors} from './affix-tensors.js'

/** Whoever asks for the state disposes of it. */
export function affixState(model: LanguageModel, kind: AffixKind, {length, rows}: AffixTensors): ModelState {
  return tf.tidy(() => {
    const tensors = rows.map((values) => tf.tensor2d(values, [length, values.length / length])) // L × (n, ·)
    const states =
      kind === 'prompt'
        ? promptState(model, tensors[0])
        : tensors.map((vectors, layer) => layerState(model, kind, layer, vectors))
    return states.map(({scan, window}) => ({scan, window})) // in a form that tidy looks into
  })
}

/** vectors (n, d) in place of embeddings */
function promptState(model: LanguageModel, vectors: tf.Tensor2D): ModelState {
  const base = baseSites(model.weights)
  const sites: Sites = {
    ...base,
    parameter: (name, value) => (name === EMBEDDINGS ? vectors : base.parameter(name, value)),
  }
  const [length] = vectors.shape
  const places = tf.tensor2d(
    Int32Array.from({length}, (_, row) => row),
    [1, length],
    'int32',
  ) // (1, n)
  return forward(model, sites, places).state
}

/** vectors (n, rows of in_proj), or x alone, or as a prefix (n, d) */
function layerState(model: LanguageModel, kind: AffixKind, layer: number, vectors: tf.Tensor2D): ModelState[number] {
  const base = baseSites(model.weights)
  const {config, weights} = model
  const input: tf.Tensor3D = tf.expandDims(vectors, 0) // (1, n, ·)
  if (kind === 'prefix') return mixer({config, positions: null, sites: base, weights}, layer, input, null).state
  const [outputs] = weights.get(`backbone.layers.${layer}.mixer.in_proj.weight`).shape
  const missing = outputs - input.shape[2]
  const projected =
    missing === 0
      ? input
      : tf.pad3d(input, [
          [0, 0],
          [0, 0],
          [0, missing],
        ]) // (1, n, rows of in_proj)
  const name = `layers.${layer}.mixer.in_proj`
  const sites: Sites = {
    ...base,
    linear: (site, x, terms) => (site === name ? projected : base.linear(site, x, terms)),
  }
  const nothing: tf.Tensor3D = tf.zeros([1, input.shape[1], config.hidden]) // (1, n, d)
  return mixer({config, positions: null, sites, weights}, layer, nothing, null).state
}

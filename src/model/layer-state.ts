/** What a mixer is given beside its input, and what one layer carries from one part of a sequence to the next. */
import type * as tf from '@tensorflow/tfjs-core'
import {type Sites} from './sites.js'
import {type Weights} from './weights.js'

export interface LayerState {
  readonly window: tf.Tensor3D // (B, K−1, channels of the convolution)
  readonly scan: tf.Tensor // (B, E, N), or (B, H, P, N)
}

/** Of a layer of an architecture with this config */
export interface MixerContext<Config> {
  readonly config: Config
  readonly weights: Weights
  readonly sites: Sites
  /** (B, L) int32, where rows hold several sequences: steps since the sequence began. null: a row is one sequence. */
  readonly positions: tf.Tensor2D | null
}

export interface MixerOutputs {
  readonly out: tf.Tensor3D // (B, L, d)
  /** After the last step */
  readonly state: LayerState
}

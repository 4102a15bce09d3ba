/**
 * The scan of Mamba-2, state space duality (SSD). For sequence b, step t, head h with its channels p, state n:
 *
 *   Δ = clamp(softplus(delta), low, high)                         delta includes its bias
 *   h_t[h,p,n] = exp(Δ_t[h] A[h]) h_{t−1}[h,p,n] + Δ_t[h] x_t[h,p] B_t[g,n]
 *   y_t[h,p]   = Σ_n C_t[g,n] h_t[h,p,n] + D[h] x_t[h,p]          g = ⌊h / (H / G)⌋
 *
 * Dao and Gu, Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured State Space Duality,
 * arXiv 2405.21060, equation 1 with A = −exp(A_log) a scalar for each head (section 5), and section 7.2 for the groups. We
 * differ by taking a first state h0, by returning the last one, and by the gradient of both.
 */
import type * as tf from '@tensorflow/tfjs-core'

export interface SsdInputs {
  /** (B, L, E) input after convolution and SiLU; E = H · P, head after head */
  readonly x: tf.Tensor3D
  /** (B, L, H) step size before softplus, bias included */
  readonly delta: tf.Tensor3D
  /** (H) continuous-time decay, negative: −exp(A_log) */
  readonly a: tf.Tensor1D
  /** (B, L, G·N) input matrix */
  readonly b: tf.Tensor3D
  /** (B, L, G·N) output matrix */
  readonly c: tf.Tensor3D
  /** (H) skip */
  readonly d: tf.Tensor1D
  /** (B, H, P, N) first state; null is zero */
  readonly h0: tf.Tensor4D | null
}

export interface SsdSettings {
  /** H */
  readonly heads: number
  /** G: heads that follow one another share B and C; divides H */
  readonly groups: number
  /** Least and largest Δ; 0 and Infinity change nothing */
  readonly limit: readonly [low: number, high: number]
}

export interface SsdOutputs {
  readonly y: tf.Tensor3D // (B, L, E)
  readonly last: tf.Tensor4D // (B, H, P, N) state after the last step
}

import {ssdScanReference} from './ssd-scan.reference.js'
export function ssdScan(inputs: SsdInputs, settings: SsdSettings): SsdOutputs {
  return ssdScanReference(inputs, settings)
}

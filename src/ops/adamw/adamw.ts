/**
 * One step of AdamW on one tensor, with g the gradient after clipping and t the step's number from 1:
 *
 *   θ ← θ (1 − η λ)        m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
 *   θ ← θ − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
 *
 * Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, in the order of operations of PyTorch's AdamW. Computed in f64
 * from f32 values and rounded once on storing.
 */

export interface AdamwSettings {
  readonly learningRate: number // η
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number // λ
  readonly step: number // t, from 1
  /** Factor on the gradient: the clipping coefficient. */
  readonly gradientScale: number
}

/** Moments of one tensor; start as zeros. */
export interface Moments {
  readonly m: Float32Array
  readonly v: Float32Array
}

/** Updates `values` and `moments` in place. */
export function adamwStep(
  values: Float32Array,
  gradient: Float32Array,
  {m, v}: Moments,
  settings: AdamwSettings,
): void {
  const {beta1, beta2, epsilon, gradientScale, learningRate, step, weightDecay} = settings
  const stepSize = learningRate / (1 - beta1 ** step)
  const rootCorrection = Math.sqrt(1 - beta2 ** step)
  const keep = 1 - learningRate * weightDecay
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i] * gradientScale
    m[i] = beta1 * m[i] + (1 - beta1) * g
    v[i] = beta2 * v[i] + (1 - beta2) * g * g
    values[i] = values[i] * keep - (stepSize * m[i]) / (Math.sqrt(v[i]) / rootCorrection + epsilon)
  }
}

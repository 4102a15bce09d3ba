/**
 * AdamW over all adapter tensors, with clipping by global norm. The clipping coefficient is that of PyTorch's
 * clip_grad_norm_: min(1, limit / (norm + 1e-6)). Moments live beside the values on the host, where this device computes.
 */
import * as tf from '@tensorflow/tfjs-core'
import {adamwStep, type Moments} from '../ops/adamw/adamw.js'

export interface OptimizerSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Limit on the global norm of the gradient; null turns clipping off. */
  readonly clipNorm: number | null
}

export type Gradients = ReadonlyMap<string, Float32Array>

/** √ Σ g² over all tensors, accumulated in f64. */
export function globalNorm(gradients: Gradients): number {
  let squares = 0
  for (const gradient of gradients.values()) for (const value of gradient) squares += value * value
  return Math.sqrt(squares)
}

export class AdamW {
  private readonly moments = new Map<string, Moments>()
  private steps = 0

  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly settings: OptimizerSettings,
  ) {}

  /** One step. `norm` is the global norm of these gradients. */
  step(gradients: Gradients, learningRate: number, norm: number): void {
    const {clipNorm, ...rest} = this.settings
    const gradientScale = clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6))
    this.steps += 1
    for (const [name, variable] of this.variables) {
      const gradient = gradients.get(name) ?? new Float32Array(variable.size)
      const values = variable.dataSync<'float32'>().slice()
      adamwStep(values, gradient, this.momentsOf(name, variable.size), {
        ...rest,
        gradientScale,
        learningRate,
        step: this.steps,
      })
      const next = tf.tensor(values, variable.shape)
      variable.assign(next)
      next.dispose()
    }
  }

  private momentsOf(name: string, size: number): Moments {
    let moments = this.moments.get(name)
    if (!moments) {
      moments = {m: new Float32Array(size), v: new Float32Array(size)}
      this.moments.set(name, moments)
    }
    return moments
  }
}

/**
 * AdamW over all adapter tensors, with clipping by global norm, where a tensor is host memory. The clipping coefficient is
 * that of PyTorch's clip_grad_norm_: min(1, limit / (norm + 1e-6)). Accumulated gradients and moments lie beside the
 * values, in f32; the norm is summed in f64.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {adamwStep, type Moments} from '../ops/adamw/adamw.js'
import {setValues} from '../ops/adamw/parameter-arena.js'
import {
  momentsIn,
  type Optimizer,
  type OptimizerSettings,
  type OptimizerState,
  ratesOf,
  type TensorRates,
} from './optimizer.js'

/** What one trained tensor needs besides its values. */
interface Slot {
  readonly variable: tf.Variable
  readonly moments: Moments
  /** Σ scale · gradient since the last step */
  readonly gradient: Float32Array
  readonly rates: TensorRates
}

export class HostAdamW implements Optimizer {
  private readonly slots: ReadonlyMap<string, Slot>
  private steps = 0

  constructor(
    variables: ReadonlyMap<string, tf.Variable>,
    private readonly settings: OptimizerSettings,
  ) {
    this.slots = new Map([...variables].map(([name, variable]) => [name, slotOf(variable, ratesOf(settings, name))]))
  }

  async accumulate(gradients: ReadonlyMap<string, tf.Tensor>, scale: number): Promise<void> {
    for (const [name, {gradient}] of this.slots) {
      const added = await gradients.get(name)?.data<'float32'>() // host memory already: nothing is waited for
      if (added) for (let i = 0; i < gradient.length; i++) gradient[i] += scale * added[i]
    }
  }

  gradientNorms(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(new Map([...this.slots].map(([name, {gradient}]) => [name, globalNorm([gradient])])))
  }

  async step(learningRate: number): Promise<number> {
    const slots = [...this.slots.values()]
    const norm = globalNorm(slots.map(({gradient}) => gradient))
    if (Number.isFinite(norm)) {
      const {clipNorm, weightDecay, ...rest} = this.settings
      const gradientScale = clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6))
      this.steps += 1
      for (const {gradient, moments, rates, variable} of slots) {
        const values = (await variable.data<'float32'>()).slice() // host memory already: nothing is waited for
        adamwStep(values, gradient, moments, {
          ...rest,
          gradientScale,
          learningRate: learningRate * rates.learningRate,
          step: this.steps,
          weightDecay: weightDecay * rates.weightDecay,
        })
        setValues(variable, values)
      }
    }
    this.discard()
    return norm
  }

  discard(): void {
    for (const {gradient} of this.slots.values()) gradient.fill(0)
  }

  state(): Promise<OptimizerState> {
    const moments = new Map([...this.slots].map(([name, slot]) => [name, copyOf(slot.moments)]))
    return Promise.resolve({moments, steps: this.steps})
  }

  restore(state: OptimizerState): void {
    for (const [name, {moments, variable}] of this.slots) {
      const {m, v} = momentsIn(state, name, variable.size)
      moments.m.set(m)
      moments.v.set(v)
    }
    this.steps = state.steps
  }

  /** Nothing is on the device. */
  dispose(): void {}
}

function slotOf(variable: tf.Variable, rates: TensorRates): Slot {
  const zeros = (): Float32Array => new Float32Array(variable.size)
  return {gradient: zeros(), moments: {m: zeros(), v: zeros()}, rates, variable}
}

function copyOf({m, v}: Moments): Moments {
  return {m: m.slice(), v: v.slice()}
}

/** √ Σ g² over all tensors, accumulated in f64. */
function globalNorm(gradients: readonly Float32Array[]): number {
  let squares = 0
  for (const gradient of gradients) for (const value of gradient) squares += value * value
  return Math.sqrt(squares)
}

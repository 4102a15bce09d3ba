/** What the training loop sees of an optimizer: it takes the gradients of micro-batches as they come, and makes steps. */
import type * as tf from '@tensorflow/tfjs-core'
import {type Moments} from '../ops/adamw/adamw.js'

export interface OptimizerSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Limit on the global norm of the gradient; null turns clipping off. */
  readonly clipNorm: number | null
  /** What differs for some trained tensors, by name */
  readonly rates?: ReadonlyMap<string, TensorRates>
}

/** Factors on the learning rate and on the weight decay of a tensor. */
export interface TensorRates {
  readonly learningRate: number
  readonly weightDecay: number
}

/** Of one tensor; 1 and 1 where nothing is said of it. */
export function ratesOf({rates}: OptimizerSettings, name: string): TensorRates {
  return rates?.get(name) ?? {learningRate: 1, weightDecay: 1}
}

/** What an optimizer remembers from step to step, on the host. */
export interface OptimizerState {
  /** Steps that changed something: the t of Adam's bias corrections */
  readonly steps: number
  /** Running moments of each trained tensor, by its name */
  readonly moments: ReadonlyMap<string, Moments>
}

export interface Optimizer {
  /** Adds scale · gradient of one micro-batch for each tensor; a tensor without a gradient adds nothing. Does not keep or dispose of the gradients. */
  accumulate(gradients: ReadonlyMap<string, tf.Tensor>, scale: number): void | Promise<void>
  /** The norm of what was accumulated since the last step, by tensor. Asks at the call, so that the step may follow at once. */
  gradientNorms(): Promise<ReadonlyMap<string, number>>
  /** One step with what was accumulated since the last one; gives the global norm before clipping. A norm that is not finite leaves everything as it was. */
  step(learningRate: number): Promise<number>
  /** Forgets what was accumulated since the last step. */
  discard(): void
  /** A copy of what it remembers. No step may be under way. Waits for the device. */
  state(): Promise<OptimizerState>
  /** Goes on from that state. Every trained tensor must be in it. */
  restore(state: OptimizerState): void
  dispose(): void
}

/** The moments of one tensor in a saved state. */
export function momentsIn({moments}: OptimizerState, name: string, size: number): Moments {
  const found = moments.get(name)
  if (found?.m.length !== size || found.v.length !== size) throw new Error(`The state holds no moments of ${name}.`)
  return found
}

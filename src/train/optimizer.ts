/** What the training loop sees of an optimizer: it takes the gradients of micro-batches as they come, and makes steps. */
import type * as tf from '@tensorflow/tfjs-core'

export interface OptimizerSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Limit on the global norm of the gradient; null turns clipping off. */
  readonly clipNorm: number | null
}

export interface Optimizer {
  /** Adds scale · gradient of one micro-batch for each tensor; a tensor without a gradient adds nothing. Does not keep or dispose of the gradients. */
  accumulate(gradients: ReadonlyMap<string, tf.Tensor>, scale: number): void | Promise<void>
  /** One step with what was accumulated since the last one; gives the global norm before clipping. A norm that is not finite leaves everything as it was. */
  step(learningRate: number): Promise<number>
  dispose(): void
}

/** The parts that a step's memory is told in. docs/memory.md explains each. */

export const MEMORY_PARTS = ['weights', 'adapters', 'optimizer', 'activations', 'logits', 'scratch'] as const

export type Moment = 'the forward pass' | 'the loss' | 'the backward pass'

/** Bytes at the fullest moment of a step; the parts add up to the total. */
export interface MemoryEstimate {
  readonly weights: number
  readonly adapters: number
  /** Accumulated gradients and two moments of each trained number */
  readonly optimizer: number
  /** What is there when the layers have run: kept for the backward pass */
  readonly activations: number
  /** A piece of logits, with its gradients */
  readonly logits: number
  /** Beyond that: gradients, partial sums, activations that are computed again */
  readonly scratch: number
  readonly total: number
  /** When that is */
  readonly moment: Moment
}

/** Bytes that stay from step to step, and the most beside them in each part of a step. */
export interface StepCount {
  readonly weights: number
  readonly adapters: number
  readonly optimizer: number
  readonly activations: number
  /** The most, `activations` included */
  readonly most: Readonly<Record<Moment, number>>
}

export function estimateFrom({activations, adapters, most, optimizer, weights}: StepCount): MemoryEstimate {
  const moments = Object.keys(most) as Moment[]
  const moment = moments.reduce((fullest, next) => (most[next] > most[fullest] ? next : fullest))
  const beyond = most[moment] - activations
  return {
    weights,
    adapters,
    optimizer,
    activations,
    logits: moment === 'the loss' ? beyond : 0,
    scratch: moment === 'the loss' ? 0 : beyond,
    total: weights + adapters + optimizer + most[moment],
    moment,
  }
}

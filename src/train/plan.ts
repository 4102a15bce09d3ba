/** How many steps a run has, when it evaluates, and which rows go into which step. */
import {epochOrder} from '../data/batches.js'

export interface RunLength {
  readonly epochs: number
  /** A cap on the optimizer steps; null is none. */
  readonly maxSteps: number | null
  readonly batchSize: number
  readonly gradientAccumulation: number
}

export interface StepPlan {
  /** Optimizer steps in all */
  readonly steps: number
  /** Optimizer steps in an epoch; the last one may have fewer rows */
  readonly stepsPerEpoch: number
}

export function planSteps(rows: number, {batchSize, epochs, gradientAccumulation, maxSteps}: RunLength): StepPlan {
  const stepsPerEpoch = Math.ceil(rows / (batchSize * gradientAccumulation))
  const wanted = Math.max(1, Math.round(epochs * stepsPerEpoch))
  return {steps: Math.min(wanted, maxSteps ?? wanted), stepsPerEpoch}
}

/** Steps between evaluations: `every` below 1 is a share of an epoch, from 1 on a number of steps. */
export function evaluationInterval(every: number, stepsPerEpoch: number): number {
  return every < 1 ? Math.max(1, Math.round(every * stepsPerEpoch)) : every
}

export interface RowOrder {
  readonly seed: number
  readonly shuffle: boolean
}

/** The order of an epoch's rows, remembered until another epoch is asked for. */
export function rememberedOrder(rows: number, order: RowOrder): (epoch: number) => Int32Array {
  let known = -1
  let permutation = new Int32Array()
  return (epoch) => {
    if (epoch !== known) {
      permutation = epochOrder(rows, {...order, epoch}).slice()
      known = epoch
    }
    return permutation
  }
}

/** The rows of step `step` (from 0), in micro-batches. Only the step's number counts, so a run can continue anywhere. */
export function rowsOfStep(
  step: number,
  rows: number,
  length: RunLength,
  orderOf: (epoch: number) => Int32Array,
): Int32Array[] {
  const {batchSize, gradientAccumulation} = length
  const stepsPerEpoch = Math.ceil(rows / (batchSize * gradientAccumulation))
  const permutation = orderOf(Math.floor(step / stepsPerEpoch))
  const first = (step % stepsPerEpoch) * batchSize * gradientAccumulation
  const chosen = permutation.subarray(first, first + batchSize * gradientAccumulation)
  const batches: Int32Array[] = []
  for (let from = 0; from < chosen.length; from += batchSize) batches.push(chosen.subarray(from, from + batchSize))
  return batches
}

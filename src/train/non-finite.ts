/** What to say of a step whose loss or gradient is not finite: the first tensor concerned, and the rows of the step. */
import {firstNotFinite} from '../checkpoint/first-not-finite.js'
import {type Batch} from '../data/batches.js'
import {NumericError} from '../errors.js'
import {lossAndGradients, type LossOptions, type Trainee} from './batch-loss.js'

export interface BadStep {
  /** From 1 */
  readonly step: number
  readonly loss: number
  readonly batches: readonly Batch[]
  /** 'file:line' of every row */
  readonly rows: readonly string[]
  /** Those that the step was computed with */
  readonly options: LossOptions
}

/** 'the loss (NaN), and the gradient of adapters.0…': what was not finite. The step must have changed nothing. */
export async function whatIsNotFinite(trainee: Trainee, bad: BadStep): Promise<string> {
  const value = await firstValue(trainee)
  if (value !== null) return `the adapter tensor ${value}`
  const gradient = await firstGradient(trainee, bad)
  const named = `the gradient of ${gradient ?? 'the adapters'}`
  if (Number.isFinite(bad.loss)) return named
  return gradient === null ? `the loss (${bad.loss})` : `the loss (${bad.loss}), with ${named},`
}

/** The error that ends a run. `why` says what ends it, if not the first such step. */
export function notFinite({rows, step}: BadStep, what: string, why = ''): NumericError {
  return new NumericError(`Step ${step} stopped: ${what} is not finite${why}.`, {
    faults: rows.map((where) => ({message: 'was in this step', where})),
    hint: 'Lower train.optimizer.learning_rate, or set train.clip_norm to 1.0 or less.',
  })
}

async function firstValue({adapters}: Trainee): Promise<string | null> {
  for (const [name, {values}] of await adapters.values()) if (firstNotFinite(values) >= 0) return name
  return null
}

/** Computed again: with the same adapters and the same random numbers the gradients are the same. */
async function firstGradient(trainee: Trainee, {batches, options}: BadStep): Promise<string | null> {
  for (const batch of batches) {
    const {dispose, gradients} = lossAndGradients(trainee, batch, options)
    try {
      for (const [name, gradient] of gradients) {
        if (firstNotFinite(await gradient.data<'float32'>()) >= 0) return name // waits for the device
      }
    } finally {
      dispose()
    }
  }
  return null
}

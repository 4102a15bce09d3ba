/**
 * All steps of a run before its first: how many there are, and the rows of each. Steps are of a number of batches, or of as many
 * batches as come nearest to `tokensPerStep`; the run ends with its epochs, its steps or its tokens, whichever is first.
 * Everything follows from the rows' lengths and the seed, so that a run can go on anywhere and the schedule knows its end.
 */
import {planSteps, rememberedOrder, type RowOrder, rowsOfStep, type RunLength} from './plan.js'

export interface PlanSettings extends RunLength, RowOrder {
  /** Tokens of an optimizer step, about; null: gradientAccumulation says how many batches it has. */
  readonly tokensPerStep?: number | null
  /** Tokens after which to stop, padding not counted; null: no limit. */
  readonly maxTokens?: number | null
}

export interface TrainingPlan {
  /** Optimizer steps in all */
  readonly steps: number
  /** Optimizer steps in an epoch; their mean, where steps are of tokens */
  readonly stepsPerEpoch: number
  /** The rows of step `step` (from 0), in micro-batches */
  readonly rowsOf: (step: number) => Int32Array[]
}

/** `lengths` are the rows' tokens. */
export function planTraining(lengths: readonly number[], settings: PlanSettings): TrainingPlan {
  const {maxTokens = null, tokensPerStep = null} = settings
  const plan = tokensPerStep === null ? byBatches(lengths.length, settings) : byTokens(lengths, settings, tokensPerStep)
  if (maxTokens === null) return plan
  const tokensIn = (batch: Int32Array): number => batch.reduce((sum, row) => sum + lengths[row], 0)
  const tokensOf = (step: number): number => plan.rowsOf(step).reduce((sum, batch) => sum + tokensIn(batch), 0)
  return {...plan, steps: stepsWithin(maxTokens, plan.steps, tokensOf)}
}

function byBatches(rows: number, settings: PlanSettings): TrainingPlan {
  const orderOf = rememberedOrder(rows, settings)
  return {...planSteps(rows, settings), rowsOf: (step) => rowsOfStep(step, rows, settings, orderOf)}
}

/** The first step after which at least that many tokens were read. */
export function stepsWithin(maxTokens: number, steps: number, tokensOf: (step: number) => number): number {
  let tokens = 0
  for (let step = 0; step < steps; step++) {
    tokens += tokensOf(step)
    if (tokens >= maxTokens) return step + 1
  }
  return steps
}

/** An epoch's steps; each is a list of batches. */
type EpochSteps = readonly (readonly Int32Array[])[]

function byTokens(lengths: readonly number[], settings: PlanSettings, tokensPerStep: number): TrainingPlan {
  const {epochs, maxSteps} = settings
  const orderOf = rememberedOrder(lengths.length, settings)
  const divide = (epoch: number): EpochSteps => stepsOfEpoch(orderOf(epoch), lengths, settings.batchSize, tokensPerStep)
  // Another order divides into another number of steps, so the epochs are counted one by one.
  const counts = Array.from({length: Math.ceil(epochs)}, (_, epoch) => divide(epoch).length)
  const last = epochs - (counts.length - 1)
  const whole = counts.slice(0, -1).reduce((sum, count) => sum + count, 0)
  const wanted = Math.max(1, whole + Math.round(last * counts[counts.length - 1]))
  let known: {epoch: number; first: number; steps: EpochSteps} = {epoch: 0, first: 0, steps: divide(0)}
  return {
    rowsOf(step) {
      if (step < known.first) known = {epoch: 0, first: 0, steps: divide(0)}
      while (step >= known.first + known.steps.length) {
        const epoch = known.epoch + 1
        known = {epoch, first: known.first + known.steps.length, steps: divide(epoch)}
      }
      return [...known.steps[step - known.first]]
    },
    steps: Math.min(wanted, maxSteps ?? wanted),
    stepsPerEpoch: (whole + counts[counts.length - 1]) / counts.length,
  }
}

/** Batches are added to a step as long as that brings it nearer to its tokens. */
function stepsOfEpoch(
  order: Int32Array,
  lengths: readonly number[],
  batchSize: number,
  tokensPerStep: number,
): EpochSteps {
  const steps: Int32Array[][] = []
  let tokens = Infinity
  for (let from = 0; from < order.length; from += batchSize) {
    const batch = order.slice(from, from + batchSize)
    const more = batch.reduce((sum, row) => sum + lengths[row], 0)
    if (tokens + more / 2 >= tokensPerStep) {
      steps.push([])
      tokens = 0
    }
    steps[steps.length - 1].push(batch)
    tokens += more
  }
  return steps
}

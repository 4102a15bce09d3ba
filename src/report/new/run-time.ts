/** How long the run of a draft will take, from the speed of this machine: its steps with their padding, and its evaluations. */
import {type Draft} from '../../recipe/new/draft.js'

export interface RunTime {
  readonly steps: number
  readonly epochs: number
  readonly seconds: number
}

/** A forward pass alone takes about a third of a step. */
const FORWARD = 1 / 3

/** Evaluations of a run, that before the first step included; as new recipes have them */
const EVALUATIONS = 5

/** Tokens per second, padding included, make seconds. */
export function secondsPerStep(draft: Pick<Draft, 'batch' | 'facts' | 'length'>, tokensPerSecond: number): number {
  const {isPlainText, percentile95} = draft.facts.rows
  // Rows of a batch are padded to its longest, which is one of the longer ones of all.
  const padded = isPlainText ? draft.length.value : Math.min(draft.length.value, percentile95)
  return (draft.batch.value * padded) / tokensPerSecond
}

/** null where the draft does not say how many steps it has. */
export function runTime(draft: Draft, tokensPerSecond: number): RunTime | null {
  const {budget} = draft.choices
  if (draft.steps === null) return null
  const evaluated = EVALUATIONS * (draft.facts.rows.validation ?? 0) * FORWARD
  const seconds = draft.steps * secondsPerStep(draft, tokensPerSecond) + evaluated / tokensPerSecond
  return {
    epochs: draft.steps / draft.stepsPerEpoch,
    // Minutes end a run with all that is in it.
    seconds: budget.unit === 'minutes' ? 60 * budget.amount : seconds,
    steps: draft.steps,
  }
}

/** How long the run of a draft will take, from the speed of this machine: its steps with their padding, and its evaluations. */
import {type Draft} from '../../recipe/new/draft.js'
import {FORWARD_SHARE, paddedLength} from '../../recipe/new/row-facts.js'

export interface RunTime {
  readonly steps: number
  readonly epochs: number
  readonly seconds: number
}

/** Tokens per second, padding included, make seconds. */
export function secondsPerStep({batch, facts, length}: Draft, tokensPerSecond: number): number {
  return (batch.value * paddedLength(facts.rows, length.value)) / tokensPerSecond
}

/** null where the draft does not say how many steps it has. */
export function runTime(draft: Draft, tokensPerSecond: number): RunTime | null {
  const {choices, evaluateEvery, facts, steps, stepsPerEpoch} = draft
  if (steps === null) return null
  const evaluations = 1 + Math.ceil(steps / evaluateEvery)
  const evaluated = evaluations * (facts.rows.validation ?? 0) * FORWARD_SHARE
  const seconds = steps * secondsPerStep(draft, tokensPerSecond) + evaluated / tokensPerSecond
  const {amount, unit} = choices.budget
  // Minutes end a run with all that is in it.
  return {epochs: steps / stepsPerEpoch, seconds: unit === 'minutes' ? 60 * amount : seconds, steps}
}

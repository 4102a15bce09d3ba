/** From answers, and what is known of model, rows and machine, to the values of a new recipe. */
import {type MambaConfig} from '../../model/config.js'
import {type Budget, type Limits, limitsOf} from './budget.js'
import {type Goal, goalFacts, lossOnFor} from './goals.js'
import {type MethodPreset} from './method-names.js'
import {chooseMethod, type ChosenMethod} from './method-presets.js'
import {
  batchSize,
  FORWARD_SHARE,
  paddedLength,
  type Reasoned,
  rowLength,
  type RowFacts,
  sequencesOf,
} from './row-facts.js'

export interface DraftFacts {
  readonly config: MambaConfig
  /** Numbers of the model */
  readonly parameters: number
  readonly rows: RowFacts
  readonly device: 'cpu' | 'gpu' | 'tensorflow'
  /** Whether the tokenizer has an end-of-sequence token */
  readonly hasEos: boolean
  /** Seconds of a step; null: not known */
  readonly secondsPerStep: number | null
}

/** Answers that were understood. */
export interface Choices {
  readonly model: string
  readonly data: string
  readonly goal: Goal
  readonly method: MethodPreset
  readonly budget: Budget
  readonly validation: string | null
  readonly out: string
}

/** A recipe before it is written down. */
export interface Draft {
  readonly choices: Choices
  readonly facts: DraftFacts
  readonly method: ChosenMethod
  readonly length: Reasoned
  readonly batch: Reasoned
  readonly limits: Limits
  readonly lossOn: ReturnType<typeof lossOnFor>
  readonly stopsEarly: boolean
  /** Steps from one evaluation to the next */
  readonly evaluateEvery: number
  readonly stepsPerEpoch: number
  /** Optimizer steps; null where minutes end the run and the speed is not known */
  readonly steps: number | null
}

export function draftOf(choices: Choices, facts: DraftFacts): Draft {
  const {config, device, parameters, rows, secondsPerStep} = facts
  const length = rowLength(rows, device)
  const batch = batchSize(rows)
  const stepsPerEpoch = Math.ceil(sequencesOf(rows, length.value) / batch.value)
  const steps = stepsOf(choices.budget, stepsPerEpoch, secondsPerStep)
  const stopsEarly = goalFacts[choices.goal].stopsEarly && choices.validation !== null
  const tokensPerStep = batch.value * paddedLength(rows, length.value)
  return {
    batch,
    choices,
    evaluateEvery: interval(steps ?? stepsPerEpoch, stopsEarly, rows.validation ?? 0, tokensPerStep),
    facts,
    length,
    limits: limitsOf(choices.budget, steps === null ? null : steps / stepsPerEpoch),
    lossOn: lossOnFor(choices.goal, rows.format),
    method: chooseMethod(choices.method, config, {parameters, steps}),
    steps,
    stepsPerEpoch,
    stopsEarly,
  }
}

/** Evaluations of a run, beside the one before the first step */
const EVALUATIONS = {early: 8, usual: 4}
/** Of the time, for evaluations, at most */
const SHARE = 0.1

/** A few times in `steps`, but not so often that evaluating takes long beside training. */
function interval(steps: number, stopsEarly: boolean, validationTokens: number, tokensPerStep: number): number {
  const wanted = Math.round(steps / (stopsEarly ? EVALUATIONS.early : EVALUATIONS.usual))
  const least = Math.ceil((FORWARD_SHARE * validationTokens) / (SHARE * tokensPerStep))
  return Math.max(1, wanted, least)
}

/** Optimizer steps that a budget is about. */
export function stepsOf({amount, unit}: Budget, stepsPerEpoch: number, secondsPerStep: number | null): number | null {
  if (unit === 'steps') return amount
  if (unit === 'epochs') return Math.max(1, Math.round(amount * stepsPerEpoch))
  return secondsPerStep === null ? null : Math.max(1, Math.floor((60 * amount) / secondsPerStep))
}

/**
 * How far a run is. With the adapters' values this is everything that the loop carries from step to step: the rate and the
 * rows of a step follow from its number, and random streams from the seed and that number, so none of them is kept.
 */
import {type ParameterValues} from '../peft/method.js'
import {type CarriedValues} from './carried-state.js'
import {type Evaluation} from './evaluate.js'
import {type StepEvent} from './events.js'
import {type OptimizerState} from './optimizer.js'
import {type LossStatistics, NO_LOSSES} from './spike-watch.js'
import {type EarlyStopping, NOT_WATCHED, type Watched} from './validation-watch.js'

export interface Progress extends Watched {
  /** Steps done, skipped ones included */
  readonly step: number
  /** Whether the evaluation that is due after this step is done */
  readonly evaluated: boolean
  /** Seconds of training, evaluations included */
  readonly elapsed_s: number
  readonly before: Evaluation | null
  /** The latest evaluation after a step */
  readonly after: Evaluation | null
  readonly last: StepEvent | null
  /** Steps that changed nothing because something was not finite */
  readonly skipped: number
  readonly losses: LossStatistics
  /** The step after which the present phase of the adapters began; 0 for the first */
  readonly phase: number
}

/** All that a run needs, besides the adapters' values, to go on as if it had never stopped. */
export interface Snapshot {
  readonly progress: Progress
  readonly optimizer: OptimizerState
  /** The adapters' values at the best evaluation; null where they are not wanted, or before the first. */
  readonly bestValues?: ReadonlyMap<string, ParameterValues> | null
  /** What rows go on with, where the run carries states from step to step */
  readonly carried?: CarriedValues | null
}

/** Whether a run of `steps` steps is at its end, and nothing is left but to evaluate and save. */
export function hasEnded(
  {elapsed_s: elapsed, step, waited}: Pick<Progress, 'elapsed_s' | 'step' | 'waited'>,
  steps: number,
  {
    earlyStopping = null,
    maxSeconds = null,
  }: {readonly earlyStopping?: Pick<EarlyStopping, 'patience'> | null; readonly maxSeconds?: number | null},
): boolean {
  if (step === 0) return false
  return step >= steps || elapsed >= (maxSeconds ?? Infinity) || waited >= (earlyStopping?.patience ?? Infinity)
}

export const NOT_BEGUN: Progress = {
  ...NOT_WATCHED,
  after: null,
  before: null,
  elapsed_s: 0,
  evaluated: false,
  last: null,
  losses: NO_LOSSES,
  phase: 0,
  skipped: 0,
  step: 0,
}

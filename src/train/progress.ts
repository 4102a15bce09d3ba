/**
 * How far a run is. With the adapters' values this is everything that the loop carries from step to step: the rate and the
 * rows of a step follow from its number, and random streams from the seed and that number, so none of them is kept.
 */
import {type Evaluation} from './evaluate.js'
import {type StepEvent} from './events.js'
import {type OptimizerState} from './optimizer.js'
import {type LossStatistics, NO_LOSSES} from './spike-watch.js'

export interface Progress {
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
}

export const NOT_BEGUN: Progress = {
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

/** What a training run is given, and what comes of it. */
import {type Example} from '../data/rows.js'
import {type Trainee} from './batch-loss.js'
import {type Evaluation} from './evaluate.js'
import {type StepEvent, type TrainEvent} from './events.js'
import {type OptimizerSettings} from './optimizer.js'
import {type Snapshot} from './progress.js'
import {type Schedule} from './schedule.js'
import {type StepRowsSettings} from './step-rows.js'

export interface TrainSettings extends StepRowsSettings {
  readonly optimizer: OptimizerSettings
  readonly learningRate: number
  readonly schedule: Schedule
  readonly evaluation: {readonly every: number; readonly atStart: boolean}
  /** Compute the activations of each layer again in the backward pass instead of keeping them; no result changes. */
  readonly recompute: boolean
  /** Steps of a run that may be skipped because something is not finite; 0 ends the run at the first. */
  readonly maxSkips: number
}

export interface Checkpoints {
  /** Steps between two; null: only when the run stops or ends */
  readonly every: number | null
  /** Hears what the run needs to go on from here. No step is under way, so that the adapters hold this moment's values. */
  readonly save: (snapshot: Snapshot) => Promise<void>
}

export interface TrainingRun {
  readonly trainee: Trainee
  readonly train: readonly Example[]
  readonly validation: readonly Example[] | null
  readonly settings: TrainSettings
  readonly signal?: AbortSignal
  /** Where to go on; the adapters hold the values of that moment. Without it, at the first step. */
  readonly from?: Snapshot | null
  readonly checkpoints?: Checkpoints
  readonly report: (event: TrainEvent) => void
  /** Hears how far an evaluation is. */
  readonly reportEvaluation?: (done: number, total: number) => void
}

export interface TrainResult {
  readonly steps: number
  readonly last: StepEvent
  /** Validation before and after; null without a validation set, `before` also without eval.at_start */
  readonly before: Evaluation | null
  readonly after: Evaluation | null
}

/** What a training run is given, and what comes of it. */
import {type Example} from '../data/rows.js'
import {type Trainee} from './batch-loss.js'
import {type Evaluation} from './evaluate.js'
import {type Sample, type StepEvent, type TrainEvent} from './events.js'
import {type OptimizerSettings} from './optimizer.js'
import {type Snapshot} from './progress.js'
import {type Schedule} from './schedule.js'
import {type StepRowsSettings} from './step-rows.js'
import {type EarlyStopping} from './validation-watch.js'

export interface TrainSettings extends StepRowsSettings {
  readonly optimizer: OptimizerSettings
  readonly learningRate: number
  readonly schedule: Schedule
  readonly evaluation: {readonly every: number; readonly atStart: boolean}
  /** Compute the activations of each layer again in the backward pass instead of keeping them; no result changes. */
  readonly recompute: boolean
  /** Steps of a run that may be skipped because something is not finite; 0 ends the run at the first. */
  readonly maxSkips: number
  /** Steps between two gauges, the first step's and the last one's aside; absent: none. */
  readonly gaugeEvery?: number
  /** Seconds after which to stop, evaluations included; null: no limit. */
  readonly maxSeconds?: number | null
  /** null: no number of evaluations without an improvement ends the run. */
  readonly earlyStopping?: EarlyStopping | null
  /** Remember the values of the evaluation with the lowest loss. */
  readonly keepBest?: boolean
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
  /** Writes texts with the adapters as they are, at each evaluation. */
  readonly sample?: () => Promise<readonly Sample[]>
}

export interface TrainResult {
  readonly steps: number
  readonly last: StepEvent
  /** Validation before and after; null without a validation set, `before` also without eval.at_start */
  readonly before: Evaluation | null
  readonly after: Evaluation | null
  /** The best evaluation after a step; its values with keepBest only */
  readonly best: {readonly loss: number; readonly step: number} | null
  readonly bestValues: Snapshot['bestValues']
}

/** What training tells as it goes on. Names are those of metrics.jsonl, one line for each event. */
import {type Evaluation} from './evaluate.js'

/** One optimizer step. */
export interface StepEvent {
  readonly event: 'step'
  readonly step: number
  readonly epoch: number
  /** Mean over the step's supervised tokens, in nats */
  readonly loss: number
  /** Global norm before clipping */
  readonly grad_norm: number
  readonly learning_rate: number
  /** Tokens of this step, padding not counted */
  readonly tokens: number
  readonly supervised_tokens: number
  readonly tokens_per_second: number
  /** Seconds since training began, evaluations included */
  readonly elapsed_s: number
}

export interface EvalEvent extends Evaluation {
  readonly event: 'eval'
  /** Steps taken before it */
  readonly step: number
  readonly elapsed_s: number
}

/** A step whose loss or gradient was not finite, and that therefore changed nothing. */
export interface SkipEvent {
  readonly event: 'skip'
  readonly step: number
  /** What was not finite: the loss, or the gradient of the first tensor concerned */
  readonly reason: string
  /** 'file:line' of every row of the step */
  readonly rows: readonly string[]
  /** Skipped steps so far, this one included */
  readonly skipped: number
}

/** A loss far above those before it. The step was taken. */
export interface SpikeEvent {
  readonly event: 'spike'
  readonly step: number
  readonly loss: number
  /** Running mean and standard deviation of the losses before it */
  readonly mean: number
  readonly deviation: number
}

/** What is looked at after some steps only. */
export interface GaugeEvent {
  readonly event: 'gauge'
  readonly step: number
  /** Norm of the gradient before clipping by group of adapter tensors, such as '0.in_proj': entry and target, all layers */
  readonly grad_norms: Readonly<Record<string, number>>
}

/** What the model writes when it is given a prompt of eval.samples. */
export interface Sample {
  readonly prompt: string
  readonly text: string
}

export interface SampleEvent extends Sample {
  readonly event: 'sample'
  /** Steps taken before it */
  readonly step: number
}

/** The validation loss has not improved for train.early_stopping.patience evaluations: the run ends here. */
export interface EarlyStopEvent {
  readonly event: 'early_stop'
  readonly step: number
  readonly best_step: number
  readonly best_loss: number
}

/** Trained parameters have become others; optimizer and schedule begin anew. */
export interface PhaseEvent {
  readonly event: 'phase'
  /** Steps taken before it */
  readonly step: number
  /** Of the adapters concerned */
  readonly methods: readonly string[]
  /** Numbers that are trained from here on, in all adapters */
  readonly trainable: number
  readonly elapsed_s: number
}

export type TrainEvent =
  StepEvent | EvalEvent | PhaseEvent | SkipEvent | SpikeEvent | GaugeEvent | SampleEvent | EarlyStopEvent

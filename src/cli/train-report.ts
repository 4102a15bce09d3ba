/** What train and resume print of a run, for people and with --json. */
import {type RunSummary} from '../recipe/run-options.js'
import {formatDuration} from './format.js'

interface Validation {
  readonly loss: number
  readonly perplexity: number
}

export interface TrainReport {
  readonly out: string
  readonly adapter: string
  /** The page about the run; null where the recipe wants none or it could not be written */
  readonly report: string | null
  readonly device: string
  readonly steps: number
  readonly loss: number
  readonly validation_before: Validation | null
  readonly validation_after: Validation | null
  /** Where the adapter has the values of the best evaluation */
  readonly best: {readonly step: number; readonly loss: number} | null
  readonly trainable_parameters: number
  readonly base_parameters: number
  readonly elapsed_s: number
}

export function trainReport(summary: RunSummary, page: string | null): TrainReport {
  return {
    adapter: summary.adapter,
    base_parameters: summary.baseParameters,
    best: summary.bestValues ? summary.best : null,
    device: summary.device.name,
    elapsed_s: summary.last.elapsed_s,
    loss: summary.last.loss,
    out: summary.out,
    report: page,
    steps: summary.steps,
    trainable_parameters: summary.trainableParameters,
    validation_after: summary.after && pick(summary.after),
    validation_before: summary.before && pick(summary.before),
  }
}

export function trainReportText(report: TrainReport, base: string): string[] {
  const {
    adapter,
    best,
    elapsed_s: elapsed,
    loss,
    report: page,
    steps,
    validation_after: after,
    validation_before: before,
  } = report
  const validation =
    after === null ? [] : [`Validation loss ${before ? `${before.loss.toFixed(4)} → ` : ''}${after.loss.toFixed(4)}.`]
  return [
    `Trained ${steps} steps in ${formatDuration(elapsed)}; last training loss ${loss.toFixed(4)}.`,
    ...validation,
    ...(best === null
      ? []
      : [`The adapter is that of step ${best.step}, with the lowest validation loss, ${best.loss.toFixed(4)}.`]),
    `Adapter: ${adapter}`,
    ...(page === null ? [] : [`Report:  ${page}`]),
    `Try it:  mambatune generate ${base} --adapter ${adapter} --prompt '…'`,
  ]
}

function pick({loss, perplexity}: Validation): Validation {
  return {loss, perplexity}
}

/** Lines of a run's metrics as its own progress would show them. */
import {type RunEvent} from '../recipe/run-options.js'
import {type MetricsLine} from '../report/metrics-file.js'
import {type RunRecord} from '../report/runs/show-run.js'
import {type RunProgress} from './run-progress.js'

/** How far the run is already. */
export function showSoFar(run: RunRecord, progress: RunProgress): void {
  const last = run.steps.at(-1)
  progress.show({
    done: last?.step ?? 0,
    event: 'plan',
    steps: run.planned_steps ?? last?.step ?? 0,
    total: run.frozen_parameters ?? 0,
    trainable: run.trainable_parameters ?? 0,
  })
  const evaluation = run.evaluations.at(-1)
  if (evaluation) showLine(evaluation, progress)
  const gauge = run.gauges.at(-1)
  if (gauge) showLine(gauge, progress)
  if (last) showLine(last, progress)
}

export function showLine(line: MetricsLine, progress: RunProgress): void {
  const event = toEvent(line)
  if (event) progress.show(event)
}

function toEvent(line: MetricsLine): RunEvent | null {
  switch (line.event) {
    case 'step': {
      const {grad_norm: norm, learning_rate: rate, tokens_per_second: speed} = line
      const numbers = {grad_norm: norm ?? Number.NaN, learning_rate: rate ?? Number.NaN}
      return {...line, ...numbers, epoch: Number.NaN, tokens_per_second: speed ?? Number.POSITIVE_INFINITY}
    }
    case 'eval':
      return {...line, perplexity: Math.exp(line.loss), supervised_tokens: Number.NaN, tokens: Number.NaN}
    case 'gauge':
      return {event: 'gauge', grad_norms: {}, memory_bytes: line.memory_bytes, step: line.step}
    case 'skip':
    case 'spike':
      return line
    case 'plan':
    case 'sample':
      return null
  }
}

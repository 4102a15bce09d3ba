/** A run's events as one live line: stages as spinners, steps as a bar, evaluations as notes above it. */
import {type RunEvent} from '../recipe/run-options.js'
import {RunningAverage} from '../report/running-average.js'
import {formatBytes, formatCount} from './format.js'
import {type Bar, type Reporter, type Step} from './reporter.js'

export class RunProgress {
  private stage: Step | null = null
  private bar: Bar | null = null
  private evaluation: Bar | null = null
  private done = 0
  private detail = ''
  private steps = 0
  private memory: number | null = null
  private readonly average = new RunningAverage()

  constructor(private readonly reporter: Reporter) {}

  /** Shows one event. */
  show(event: RunEvent): void {
    if (event.event !== 'evaluating' && event.event !== 'checkpoint') this.endStage()
    switch (event.event) {
      case 'stage':
        this.stage = this.reporter.step(event.text)
        return
      case 'note':
        this.reporter.note(event.text)
        return
      case 'plan': {
        const share = ((100 * event.trainable) / (event.trainable + event.total)).toFixed(2)
        this.reporter.note(
          `${formatCount(event.trainable)} trainable numbers beside ${formatCount(event.total)} frozen ones (${share} % of all), ${event.steps} steps`,
        )
        this.steps = event.steps
        this.done = event.done
        return
      }

      case 'evaluating':
        this.evaluation ??= this.reporter.bar(event.total, 'validating')
        this.evaluation.update({done: event.done})
        return
      case 'eval':
        this.evaluation?.stop()
        this.evaluation = null
        this.bar = null
        this.reporter.note(
          `step ${event.step}: validation loss ${event.loss.toFixed(4)}, perplexity ${event.perplexity.toFixed(2)}`,
        )
        return
      case 'sample':
        this.reporter.note(`step ${event.step}: ${JSON.stringify(event.prompt)} → ${JSON.stringify(event.text)}`)
        return
      case 'phase':
        this.bar = null
        this.reporter.note(
          `step ${event.step}: ${event.methods.join(', ')} has chosen what it trains from here on; ${formatCount(event.trainable)} trainable numbers, optimizer and schedule begin anew`,
        )
        return
      case 'early_stop':
        this.reporter.note(
          `step ${event.step}: the validation loss no longer falls; it was lowest after step ${event.best_step}, ${event.best_loss.toFixed(4)}`,
        )
        return
      case 'skip':
        this.reporter.note(`step ${event.step} is skipped: ${event.reason} is not finite`)
        return
      case 'spike':
        this.reporter.note(
          `step ${event.step}: loss ${event.loss.toFixed(3)} is far above the ${event.mean.toFixed(3)} of the steps before it`,
        )
        return
      case 'step':
        this.done = event.step
        // The least important last: a narrow terminal loses them first.
        this.detail = [
          `loss ${event.loss.toFixed(3)} (avg ${this.average.add(event.loss).toFixed(3)})`,
          `lr ${event.learning_rate.toExponential(1)}`,
          `grad ${event.grad_norm.toFixed(2)}`,
          `${formatCount(Math.round(event.tokens_per_second))} tok/s`,
          ...(this.memory === null ? [] : [formatBytes(this.memory)]),
        ].join(' · ')
        this.bar ??= this.reporter.bar(this.steps, 'training', this.done)
        this.bar.update({detail: this.detail, done: this.done})
        return
      case 'gauge':
        this.memory = event.memory_bytes
        return
      case 'checkpoint': // of no interest while all goes well
    }
  }

  finish(): void {
    this.endStage()
    this.reporter.stop()
  }

  private endStage(): void {
    this.stage?.done()
    this.stage = null
  }
}

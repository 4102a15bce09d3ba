/** A run's events as TensorBoard's curves: which of their numbers are drawn, and under what names. */
import {EventFile} from '../checkpoint/tensorboard/event-file.js'
import {type Scalar} from '../checkpoint/tensorboard/event-message.js'
import {type RunEvent} from './run-options.js'

export class ChartFile {
  private constructor(private readonly events: EventFile) {}

  /** Of a run that goes on after that step. */
  static async create(directory: string, step: number): Promise<ChartFile> {
    return new ChartFile(await EventFile.create(directory, step))
  }

  write(event: RunEvent): void {
    const scalars = scalarsOf(event)
    if ('step' in event && scalars.length > 0) this.events.scalars(event.step, scalars)
  }

  close(): Promise<void> {
    return this.events.close()
  }
}

function scalarsOf(event: RunEvent): Scalar[] {
  if (event.event === 'step') {
    return [
      ['loss/train', event.loss],
      ['train/learning_rate', event.learning_rate],
      ['train/grad_norm', event.grad_norm],
      ['train/tokens_per_second', event.tokens_per_second],
    ]
  }
  if (event.event === 'eval') {
    return [
      ['loss/validation', event.loss],
      ['validation/perplexity', event.perplexity],
    ]
  }
  if (event.event !== 'gauge') return []
  const norms = Object.entries(event.grad_norms).map(([group, norm]): Scalar => [`grad_norm/${group}`, norm])
  return event.memory_bytes === null ? norms : [...norms, ['train/memory_bytes', event.memory_bytes]]
}

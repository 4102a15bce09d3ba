/** The adapters of a benchmark, from the words of a command line. */
import {UsageError} from '../errors.js'
import {initialStateSettings} from '../peft/initial-state-settings.js'
import {loraSettings} from '../peft/lora-settings.js'
import {type AdapterSettings} from '../peft/method-settings.js'

export interface BenchAdapters {
  readonly method: 'lora' | 'initial-state' | 'none'
  /** Names with commas between them */
  readonly targets: string
  readonly rank: number
}

/** Errors: UsageError for training nothing. */
export function benchAdapters({method, rank, targets}: BenchAdapters): AdapterSettings[] {
  switch (method) {
    case 'none':
      throw new UsageError('With --method none there is nothing to train.', {hint: 'Use --mode forward.'})
    case 'initial-state':
      return [initialStateSettings.parse({method})]
    case 'lora':
      return [loraSettings.parse({alpha: 2 * rank, method, rank, targets: targets.split(',')})]
  }
}

/** The adapters of a benchmark, from the words of a command line. */
import {UsageError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {initialStateSettings} from '../peft/initial-state-settings.js'
import {loraSettings} from '../peft/lora-settings.js'
import {type AdapterSettings} from '../peft/method-settings.js'

export interface BenchAdapters {
  readonly method: 'lora' | 'initial-state' | 'none'
  /** Names with commas between them; the projections that make the inputs of the scan if left out */
  readonly targets?: string | undefined
  readonly rank: number
}

/** Errors: UsageError for training nothing. */
export function benchAdapters(
  {method, rank, targets}: BenchAdapters,
  architecture: MambaConfig['architecture'],
): AdapterSettings[] {
  switch (method) {
    case 'none':
      throw new UsageError('With --method none there is nothing to train.', {hint: 'Use --mode forward.'})
    case 'initial-state':
      return [initialStateSettings.parse({method})]
    case 'lora': {
      const chosen = targets?.split(',') ?? (architecture === 'mamba2' ? ['in_proj'] : ['in_proj', 'x_proj'])
      return [loraSettings.parse({alpha: 2 * rank, method, rank, targets: chosen})]
    }
  }
}

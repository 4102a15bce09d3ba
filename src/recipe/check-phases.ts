/** A run must reach the last phase of its adapters, or it would end with something half done that nobody asked for. */
import {type Fault, RecipeError} from '../errors.js'
import {type AdapterSettings, methodOf} from '../peft/registry.js'

/** Errors: RecipeError for every adapter whose first phase is as long as the run or longer. */
export function checkPhases(adapters: readonly AdapterSettings[], steps: number): void {
  const faults = adapters.flatMap((entry, index): Fault[] => {
    const end = methodOf(entry).phases?.end(entry) ?? null
    if (end === null || end < steps) return []
    return [
      {
        message: `warms up for ${end} steps, and the run has ${steps}; expected a longer run or a shorter warm-up`,
        where: `adapters.${index} (${entry.method})`,
      },
    ]
  })
  if (faults.length === 0) return
  throw new RecipeError('The run would end before an adapter has chosen what it trains.', {
    faults,
    hint: 'Lower warmup_steps of the adapter, or raise train.epochs or train.max_steps.',
  })
}

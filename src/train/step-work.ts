/** What goes into one step. */
import {type Batch} from '../data/batches.js'
import {type Example} from '../data/rows.js'

export interface StepWork {
  /** From 0 */
  readonly step: number
  /** Micro-batches */
  readonly batches: readonly Batch[]
  readonly tokens: number
  readonly supervisedTokens: number
  /** 'file:line' of every example */
  readonly rows: readonly string[]
}

export function workOf(step: number, batches: readonly Batch[], examples: readonly Example[]): StepWork {
  return {
    batches,
    rows: examples.map(({where}) => where),
    step,
    supervisedTokens: batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0),
    tokens: batches.reduce((sum, batch) => sum + batch.tokens, 0),
  }
}

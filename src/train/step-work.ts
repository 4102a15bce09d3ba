/** The rows of a step, side by side in its micro-batches. */
import {type Batch, collate} from '../data/batches.js'
import {type Example} from '../data/rows.js'
import {type TrainingPlan} from './training-plan.js'

/** What goes into one step. */
export interface StepWork {
  /** From 0 */
  readonly step: number
  /** Micro-batches */
  readonly batches: readonly Batch[]
  readonly tokens: number
  readonly supervisedTokens: number
  /** 'file:line' of every row */
  readonly rows: readonly string[]
}

export function workOfStep(examples: readonly Example[], step: number, plan: TrainingPlan): StepWork {
  const rows = plan.rowsOf(step).map((indices) => Array.from(indices, (row) => examples[row]))
  const batches = rows.map((chosen) => collate(chosen))
  return {
    batches,
    rows: rows.flat().map(({where}) => where),
    step,
    supervisedTokens: batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0),
    tokens: batches.reduce((sum, batch) => sum + batch.tokens, 0),
  }
}

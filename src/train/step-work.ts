/** The rows of one step, in batches. */
import {type Batch, collate} from '../data/batches.js'
import {rowsOfStep} from './plan.js'
import {type TrainingRun} from './training-run.js'

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

/** Of step `step` (from 0): its rows follow from its number. */
export function workOfStep(
  {settings, train: examples}: TrainingRun,
  step: number,
  orderOf: (epoch: number) => Int32Array,
): StepWork {
  const rows = rowsOfStep(step, examples.length, settings, orderOf).map((indices) =>
    Array.from(indices, (row) => examples[row]),
  )
  const batches = rows.map((chosen) => collate(chosen))
  return {
    batches,
    rows: rows.flat().map(({where}) => where),
    step,
    supervisedTokens: batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0),
    tokens: batches.reduce((sum, batch) => sum + batch.tokens, 0),
  }
}

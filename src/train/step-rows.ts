/**
 * What the steps of a run read: how examples lie in the rows of its batches, how many steps that makes, and the batches of
 * each step. Only the step's number counts, so a run can continue anywhere.
 */
import {type Batch, collate} from '../data/batches.js'
import {collatePacked} from '../data/packed-batch.js'
import {packExamples} from '../data/packing.js'
import {type Example} from '../data/rows.js'
import {planSteps, rememberedOrder, type RowOrder, type RunLength, rowsOfStep, type StepPlan} from './plan.js'

/** padded: each row is one example. packed: each row holds as many examples as `length` tokens have room for. */
export type RowLayout = {readonly kind: 'padded'} | {readonly kind: 'packed'; readonly length: number}

export interface StepRows {
  readonly plan: StepPlan
  /** Rows of an epoch */
  readonly count: number
  /** Tokens of each row */
  readonly lengths: readonly number[]
  /** Of the most supervised rows of an epoch, `rows` of them */
  readonly mostSupervised: (rows: number) => number
  readonly work: (step: number) => StepWork
  /** What there is to tell the user. */
  readonly notes: readonly string[]
}

/** What goes into one step. */
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

export interface StepRowsSettings extends RunLength, RowOrder {
  /** padded where absent */
  readonly layout?: RowLayout
}

export function stepRows(examples: readonly Example[], settings: StepRowsSettings): StepRows {
  const {layout = {kind: 'padded'}} = settings
  const packed = layout.kind === 'packed' ? packedRows(examples, layout.length, settings) : null
  const rows = packed ?? examples.map((example) => [example])
  const plan = planSteps(rows.length, settings)
  const orderOf = rememberedOrder(rows.length, settings)
  const lengths = rows.map((held) => sum(held.map(({ids}) => ids.length)))
  return {
    count: rows.length,
    lengths,
    mostSupervised: (count) =>
      sum(
        rows
          .map(supervisedOf)
          .sort((a, b) => b - a)
          .slice(0, count),
      ),
    notes: layout.kind === 'packed' ? [fillOf(examples.length, lengths, layout.length)] : [],
    plan,
    work(step) {
      const chosen = rowsOfStep(step, rows.length, settings, orderOf).map((batch) =>
        Array.from(batch, (row) => rows[row]),
      )
      const batches = chosen.map((batch) => (packed ? collatePacked(batch) : collate(batch.flat())))
      return {
        batches,
        rows: chosen.flat(2).map(({where}) => where),
        step,
        supervisedTokens: sum(batches.map(({supervisedTokens}) => supervisedTokens)),
        tokens: sum(batches.map(({tokens}) => tokens)),
      }
    },
  }
}

function packedRows(examples: readonly Example[], capacity: number, {seed, shuffle}: RowOrder): Example[][] {
  const lengths = examples.map(({ids}) => ids.length)
  return packExamples(lengths, {capacity, seed, shuffle}).map((row) => Array.from(row, (index) => examples[index]))
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

const supervisedOf = (row: readonly Example[]): number =>
  sum(row.map(({labels}) => labels.subarray(1).reduce((count, label) => count + (label >= 0 ? 1 : 0), 0)))

function fillOf(examples: number, lengths: readonly number[], capacity: number): string {
  const filled = ((100 * sum(lengths)) / (lengths.length * capacity)).toFixed(1)
  return `${examples} rows are packed into ${lengths.length} of at most ${capacity} tokens, which are ${filled} % full.`
}

/**
 * What the steps of a run read: how examples lie in the rows of its batches, how many steps that makes, and the batches of
 * each step. Only the step's number counts, so a run can continue anywhere.
 */
import {collate} from '../data/batches.js'
import {type CarriedRows, carriedRows, collateCarried} from '../data/carried-rows.js'
import {collatePacked} from '../data/packed-batch.js'
import {packExamples} from '../data/packing.js'
import {type Example} from '../data/rows.js'
import {DataError} from '../errors.js'
import {planSteps, type StepPlan} from './plan.js'
import {type StepWork, workOf} from './step-work.js'
import {type PlanSettings, planTraining, stepsWithin} from './training-plan.js'

/**
 * padded: each row is one example. packed: each row holds as many examples as `length` tokens have room for. carried: each
 * row is `length` tokens of an example, which the same row of the next batch goes on with.
 */
export type RowLayout = {readonly kind: 'padded'} | {readonly kind: 'packed' | 'carried'; readonly length: number}

export interface StepRows {
  readonly plan: StepPlan
  /** Rows of an epoch */
  readonly count: number
  /** Rows that carry their state from batch to batch; 0 where none does */
  readonly carried: number
  /** Tokens of each row */
  readonly lengths: readonly number[]
  /** Of the most supervised rows of an epoch, `rows` of them */
  readonly mostSupervised: (rows: number) => number
  readonly work: (step: number) => StepWork
  /** What there is to tell the user. */
  readonly notes: readonly string[]
}

export interface StepRowsSettings extends PlanSettings {
  /** padded where absent */
  readonly layout?: RowLayout
}

export function stepRows(examples: readonly Example[], settings: StepRowsSettings): StepRows {
  const {layout = {kind: 'padded'}} = settings
  if (layout.kind === 'carried') return carriedSteps(examples, layout.length, settings)
  // Rows are kept as numbers only: there may be more of them than memory has room for.
  const exampleLengths = examples.map(({ids}) => ids.length)
  const packed = layout.kind === 'packed' ? packExamples(exampleLengths, {...settings, capacity: layout.length}) : null
  const inRows = (numbers: readonly number[]): readonly number[] =>
    packed?.map((row) => row.reduce((total, index) => total + numbers[index], 0)) ?? numbers
  const lengths = inRows(exampleLengths)
  const {rowsOf, ...plan} = planTraining(lengths, settings)
  return {
    carried: 0,
    count: lengths.length,
    lengths,
    mostSupervised: (count) => sum(largest(inRows(examples.map(supervisedOf)), count)),
    notes: layout.kind === 'packed' ? [fillOf(examples.length, lengths, layout.length)] : [],
    plan,
    work(step) {
      const chosen = rowsOf(step).map((batch) =>
        Array.from(batch, (row) => Array.from(packed?.[row] ?? [row], (index) => examples[index])),
      )
      const batches = chosen.map((batch) => (packed ? collatePacked(batch) : collate(batch.flat())))
      return workOf(step, batches, chosen.flat(2))
    },
  }
}

/** Faults that are listed, at most */
const MOST_FAULTS = 20

function carriedSteps(examples: readonly Example[], length: number, settings: StepRowsSettings): StepRows {
  const {batchSize, gradientAccumulation, seed, shuffle} = settings
  const carried = carriedRows(examples, {length, rows: batchSize, seed, shuffle})
  const {at, batches, pieces, placesAt, rows, supervised} = carried
  refuseUnsupervised(examples, carried, length)
  const {steps, stepsPerEpoch} = planSteps(batches * batchSize, settings)
  const inStep = <Of>(take: (epoch: number, batch: number) => Of, step: number): Of[] => {
    const first = (step % stepsPerEpoch) * gradientAccumulation
    const count = Math.min(gradientAccumulation, batches - first)
    return Array.from({length: count}, (_, index) => take(Math.floor(step / stepsPerEpoch), first + index))
  }
  const tokensOf = (step: number): number =>
    sum(inStep(placesAt, step).flatMap((batch) => batch.map((place) => (place ? place.to - place.from : 0))))
  const {maxTokens = null} = settings
  return {
    carried: rows,
    count: pieces.length,
    lengths: pieces.map(({from, to}) => to - from),
    mostSupervised: (count) => sum(largest(supervised, count)),
    notes: [carriedNote(examples.length, pieces.length, rows, length)],
    plan: {steps: maxTokens === null ? steps : stepsWithin(maxTokens, steps, tokensOf), stepsPerEpoch},
    work(step) {
      const chosen = inStep(at, step)
      const read = chosen.flat().flatMap((piece) => (piece ? [piece.example] : []))
      return workOf(step, chosen.map(collateCarried), read)
    },
  }
}

/** A step without a supervised token would have no mean loss. */
function refuseUnsupervised(examples: readonly Example[], {pieces, supervised}: CarriedRows, length: number): void {
  const empty = pieces.filter((_, piece) => supervised[piece] === 0)
  if (empty.length === 0) return
  throw new DataError(`The data cannot be carried in pieces of ${length} tokens.`, {
    faults: empty.slice(0, MOST_FAULTS).map(({from, index, to}) => ({
      message: `tokens ${from + 1} to ${to} have nothing to learn from; with data.carry_state every ${length} tokens need some`,
      where: examples[index].where,
    })),
    hint: 'Set data.loss_on to all, raise data.max_length, or leave data.carry_state out.',
  })
}

function carriedNote(examples: number, pieces: number, rows: number, length: number): string {
  return `${examples} rows are read in ${pieces} pieces of at most ${length} tokens, ${rows} at a time, with the state carried.`
}

const largest = (numbers: readonly number[], count: number): number[] =>
  numbers.toSorted((a, b) => b - a).slice(0, count)

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

const supervisedOf = ({labels}: Example): number =>
  labels.subarray(1).reduce((count, label) => count + (label >= 0 ? 1 : 0), 0)

function fillOf(examples: number, lengths: readonly number[], capacity: number): string {
  const filled = ((100 * sum(lengths)) / (lengths.length * capacity)).toFixed(1)
  return `${examples} rows are packed into ${lengths.length} of at most ${capacity} tokens, which are ${filled} % full.`
}

/**
 * Rows that are held out of training, to validate with. Which ones is a function of their numbers alone, so that runs with other seeds,
 * lengths and settings hold out the same: each row draws a number from a stream that has no seed of the recipe in it, and those with the
 * lowest are held out. A row stays whole, however many examples it has become.
 */
import {DataError} from '../errors.js'
import {type Dataset} from './dataset.js'
import {GrowingNumbers} from './growing-numbers.js'
import {onDemand} from './on-demand.js'
import {RandomStream} from './random.js'

export interface SplitData {
  readonly train: Dataset
  readonly validation: Dataset
}

/** How many of `count` rows a share of them is; of two or more, at least one is held out and one is not. */
export function heldOutCount(count: number, share: number): number {
  return Math.min(Math.max(1, Math.round(share * count)), count - 1)
}

/** 1 for each row that is held out, 0 for the others. `share` is above 0 and below 1, `count` at least 2. */
export function heldOutRows(count: number, share: number): Uint8Array {
  const random = new RandomStream(0, 'held out')
  const drawn = new Float64Array(count)
  for (let row = 0; row < count; row++) drawn[row] = random.uniform()
  const highest = drawn.toSorted()[heldOutCount(count, share) - 1]
  const isHeldOut = new Uint8Array(count)
  for (let row = 0; row < count; row++) isHeldOut[row] = drawn[row] <= highest ? 1 : 0
  return isHeldOut
}

/** Errors: DataError where one side would have nothing. */
export function holdOut(data: Dataset, share: number): SplitData {
  const count = data.rowBegins.length
  const unit = data.files.every(({container}) => container === 'text') ? 'plain text file' : 'row'
  if (count < 2) throw tooFew(`of a single ${unit} none can be held out; expected two or more`)
  const isHeldOut = heldOutRows(count, share)
  const [train, validation] = [0, 1].map((side) => sideOf(data, (row) => isHeldOut[row] === side))
  if (train.examples.length === 0 || validation.examples.length === 0) {
    const side = train.examples.length === 0 ? 'are not held out' : 'are held out'
    throw tooFew(`all ${unit}s that ${side} are longer than data.max_length, and dropped`)
  }
  const held = validation.rowBegins.length
  const note = `${held} of ${count} ${unit}s ${held === 1 ? 'is' : 'are'} held out of training.`
  return {train, validation: {...validation, notes: [...data.notes, note]}}
}

function tooFew(message: string): DataError {
  return new DataError('There are too few rows to hold some of them out of training.', {
    faults: [{message, where: 'data.validation'}],
    hint: 'Name a validation file, give more rows, or write data.validation: null',
  })
}

/** The dataset of some rows, in their order. */
function sideOf(data: Dataset, isWanted: (row: number) => boolean): Dataset {
  const {examples, rowBegins} = data
  const wanted = new GrowingNumbers()
  const begins = new GrowingNumbers()
  for (let row = 0; row < rowBegins.length; row++) {
    if (!isWanted(row)) continue
    begins.push(wanted.length)
    const end = row + 1 < rowBegins.length ? rowBegins[row + 1] : examples.length
    for (let index = rowBegins[row]; index < end; index++) wanted.push(index)
  }
  const places = wanted.all()
  return {...data, examples: onDemand(places.length, (index) => examples[places[index]]), rowBegins: begins.all()}
}

/** The largest batch of a run or an evaluation, and the device under it, as the memory estimate wants them. */
import {gpuBackend} from '../backend/gpu/current.js'
import {type Example} from '../data/rows.js'
import {type StepShape} from './memory-shape.js'
import {type StepRows} from './step-rows.js'

export type LargestBatch = Required<Pick<StepShape, 'length' | 'rows' | 'supervised'>>

/** The same of a run's steps. */
export function largestStep({carried, count, lengths, mostSupervised}: StepRows, batchSize: number): LargestBatch {
  return {
    length: lengths.reduce((longest, length) => Math.max(longest, length), 1),
    rows: Math.min(batchSize, carried || count),
    supervised: mostSupervised(batchSize),
  }
}

/** As many rows as a batch has, all as long as the longest, with the most tokens that have a loss. */
export function largestBatch(examples: readonly Example[], batchSize: number): LargestBatch {
  const counts = examples.map(({labels}) => labels.subarray(1).reduce((sum, label) => sum + (label >= 0 ? 1 : 0), 0))
  const most = counts.sort((a, b) => b - a).slice(0, batchSize)
  return {
    length: examples.reduce((longest, {ids}) => Math.max(longest, ids.length), 1),
    rows: Math.min(batchSize, examples.length),
    supervised: most.reduce((sum, count) => sum + count, 0),
  }
}

/** Where a step runs, as far as memory is concerned. */
export type Place = Pick<StepShape, 'device' | 'facts' | 'precision'>

/** The device that has been started. */
export function placeOf(device: Place['device']): Place {
  const backend = gpuBackend()
  return backend ? {device, facts: backend.facts, precision: backend.precision} : {device, precision: 'f32'}
}

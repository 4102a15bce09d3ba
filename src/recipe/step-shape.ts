/** A recipe's largest training step, as the memory estimate wants it. */
import {type MemorySize} from '../backend/gpu/memory-size.js'
import {type Example} from '../data/rows.js'
import {type MambaConfig} from '../model/config.js'
import {largestBatch, type Place} from '../train/largest-batch.js'
import {chooseCheckpointing, type RunShape} from '../train/memory-fit.js'
import {type Recipe} from './schema.js'

/** Without examples every row is as long as the recipe allows, and every token counts. */
export function stepShape(
  {adapters, data, train}: Recipe,
  config: MambaConfig,
  place: Place,
  examples: readonly Example[] | null,
): RunShape {
  const {checkpointing, batch_size: batchSize, gradient_accumulation: batches, tokens_per_step: tokens} = train
  return {
    adapters,
    checkpointing: checkpointing === 'block' ? 'block' : 'none',
    config,
    gradientAccumulation: tokens === null ? batches : Math.max(2, Math.ceil(tokens / (batchSize * data.max_length))),
    length: data.max_length,
    rows: batchSize,
    ...place,
    ...(examples && largestBatch(examples, batchSize)),
  }
}

/** The same with train.checkpointing: auto decided. */
export async function decided(shape: RunShape, {train}: Recipe, memory: MemorySize | null): Promise<RunShape> {
  if (train.checkpointing !== 'auto' || memory === null) return shape
  return {...shape, checkpointing: await chooseCheckpointing(shape, memory)}
}

/** A recipe's largest training step, as the memory estimate wants it. */
import {type MemorySize} from '../backend/gpu/memory-size.js'
import {type MambaConfig} from '../model/config.js'
import {largestStep, type Place} from '../train/largest-batch.js'
import {chooseCheckpointing, type RunShape} from '../train/memory-fit.js'
import {type StepRows} from '../train/step-rows.js'
import {type Recipe} from './schema.js'

/** Without rows every one is as long as the recipe allows, and every token counts. */
export function stepShape(
  {adapters, data, train}: Recipe,
  config: MambaConfig,
  place: Place,
  rows: StepRows | null,
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
    ...(rows && largestStep(rows, batchSize)),
  }
}

/** The same with train.checkpointing: auto decided. Layers whose state is carried are not computed again. */
export async function decided(shape: RunShape, {data, train}: Recipe, memory: MemorySize | null): Promise<RunShape> {
  if (train.checkpointing !== 'auto' || data.carry_state || memory === null) return shape
  return {...shape, checkpointing: await chooseCheckpointing(shape, memory)}
}

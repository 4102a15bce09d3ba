/** A recipe's sections as the settings of the layers below, which know nothing of recipes. */
import {type DataSettings} from '../data/rows.js'
import {type RowLayout} from '../train/step-rows.js'
import {type TrainSettings} from '../train/training-run.js'
import {type Recipe} from './schema.js'

/** Rows that are carried are cut nowhere: they are read in pieces. */
const lengthLimit = ({carry_state: carried, max_length: length}: Recipe['data']): number =>
  carried ? Number.MAX_SAFE_INTEGER : length

function layoutOf({carry_state: carried, max_length: length, packing}: Recipe['data']): RowLayout {
  if (carried) return {kind: 'carried', length}
  return packing ? {kind: 'packed', length} : {kind: 'padded'}
}

export function dataSettings({data}: Recipe): DataSettings {
  return {appendEos: data.append_eos, format: data.format, lossOn: data.loss_on, maxLength: lengthLimit(data)}
}

export function trainSettings({data, eval: evaluation, seed, train}: Recipe): TrainSettings {
  const {optimizer, schedule} = train
  return {
    batchSize: train.batch_size,
    epochs: train.epochs,
    evaluation: {atStart: evaluation.at_start, every: evaluation.every},
    gradientAccumulation: train.gradient_accumulation,
    layout: layoutOf(data),
    learningRate: optimizer.learning_rate,
    maxSkips: train.on_nonfinite === 'skip' ? train.max_skips : 0,
    maxSteps: train.max_steps,
    optimizer: {
      beta1: optimizer.betas[0],
      beta2: optimizer.betas[1],
      clipNorm: train.clip_norm,
      epsilon: optimizer.epsilon,
      weightDecay: optimizer.weight_decay,
    },
    recompute: train.checkpointing === 'block',
    schedule: {minRatio: schedule.min_ratio, name: schedule.name, warmup: schedule.warmup},
    seed,
    shuffle: data.shuffle,
  }
}

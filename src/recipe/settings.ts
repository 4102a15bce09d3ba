/** A recipe's sections as the settings of the layers below, which know nothing of recipes. */
import {type DataSettings} from '../data/rows.js'
import {type TrainSettings} from '../train/training-run.js'
import {type Recipe} from './schema.js'

export function dataSettings({data}: Recipe): DataSettings {
  return {appendEos: data.append_eos, format: data.format, lossOn: data.loss_on, maxLength: data.max_length}
}

export function trainSettings({data, eval: evaluation, seed, train}: Recipe): TrainSettings {
  const {optimizer, schedule} = train
  return {
    batchSize: train.batch_size,
    epochs: train.epochs,
    evaluation: {atStart: evaluation.at_start, every: evaluation.every},
    gradientAccumulation: train.gradient_accumulation,
    layout: data.packing ? {kind: 'packed', length: data.max_length} : {kind: 'padded'},
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

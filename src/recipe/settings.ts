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
  return {
    appendEos: data.append_eos,
    columns: data.columns,
    container: data.container,
    format: data.format,
    lossOn: data.loss_on,
    maxLength: lengthLimit(data),
    overflow: data.overflow,
    template: data.template,
    trainOnEos: data.train_on_eos,
  }
}

export function trainSettings({data, eval: evaluation, logging, seed, train}: Recipe): TrainSettings {
  const {optimizer, schedule} = train
  return {
    batchSize: train.batch_size,
    earlyStopping: train.early_stopping && {
      minDelta: train.early_stopping.min_delta,
      patience: train.early_stopping.patience,
    },
    epochs: train.epochs,
    evaluation: {atStart: evaluation.at_start, every: evaluation.every},
    gaugeEvery: logging.every,
    gradientAccumulation: train.gradient_accumulation,
    keepBest: keepsBest(train),
    layout: layoutOf(data),
    learningRate: optimizer.learning_rate,
    maxSeconds: train.max_minutes === null ? null : 60 * train.max_minutes,
    maxSkips: train.on_nonfinite === 'skip' ? train.max_skips : 0,
    maxSteps: train.max_steps,
    maxTokens: train.max_tokens,
    optimizer: {
      beta1: optimizer.betas[0],
      beta2: optimizer.betas[1],
      clipNorm: train.clip_norm,
      epsilon: optimizer.epsilon,
      weightDecay: optimizer.weight_decay,
    },
    recompute: train.checkpointing === 'block',
    schedule: {decay: schedule.decay, minRatio: schedule.min_ratio, name: schedule.name, warmup: schedule.warmup},
    seed,
    shuffle: data.shuffle,
    tokensPerStep: train.tokens_per_step,
  }
}

const keepsBest = ({early_stopping: stopping, keep}: Recipe['train']): boolean =>
  keep === 'best' || (keep === 'auto' && stopping !== null)

/** The loss of one batch through model and adapters, and its gradients. Nothing here waits for the device. */
import * as tf from '@tensorflow/tfjs-core'
import {type Batch} from '../data/batches.js'
import {type RandomStream} from '../data/random.js'
import {forward, type LanguageModel, type Layer, summedLoss} from '../model/language-model.js'
import {recomputed} from '../ops/recomputed.js'
import {paddedRows} from '../ops/linear-cross-entropy/supervised-rows.js'
import {type NamedTensors, repeated} from '../ops/repeated.js'
import {abandonTape} from '../ops/tape.js'
import {type AdapterSet} from '../peft/adapter-set.js'

export interface Trainee {
  readonly model: LanguageModel
  readonly adapters: AdapterSet
}

export interface LossOptions {
  /** The source of dropout masks; null is no dropout. */
  readonly dropout?: RandomStream | null
  /** Compute the activations of each layer again in the backward pass instead of keeping them. */
  readonly recompute?: boolean
  /** Hears when the layers have run, and when the loss is there: where memory is counted. */
  readonly passed?: (part: 'layers' | 'loss') => void
}

/** Summed loss over the supervised tokens of the batch. */
function lossTensor(
  {adapters, model}: Trainee,
  batch: Batch,
  {dropout = null, passed, recompute}: LossOptions,
): tf.Scalar {
  const shape: [number, number] = [batch.rows, batch.length]
  const ids = tf.tensor2d(batch.ids, shape, 'int32') // (B, L)
  const labels = tf.tensor2d(batch.labels, shape, 'int32') // (B, L)
  const sites = adapters.sites(model.weights, dropout)
  const {hidden} = forward(model, sites, ids, {
    ...(recompute && {runLayer: (layer, before) => recomputed(dropout ? repeatable(layer, dropout) : layer, before)}),
  }) // (B, L, d)
  passed?.('layers')
  const loss = summedLoss(model, sites, hidden, labels)
  passed?.('loss')
  return loss
}

/** The layer, drawing the same random numbers each time that it runs as the first time. */
function repeatable(layer: Layer, random: RandomStream): Layer {
  const start = random.position
  let first = true
  return (hidden) => {
    if (first) {
      first = false
      return layer(hidden)
    }
    const present = random.position
    random.position = start
    try {
      return layer(hidden)
    } finally {
      random.position = present
    }
  }
}

/** Summed loss over the supervised tokens of the batch, without gradients. */
export async function batchLoss(
  trainee: Trainee,
  batch: Batch,
  options: Pick<LossOptions, 'passed'> = {},
): Promise<number> {
  const loss = tf.tidy(() => lossTensor(trainee, batch, options))
  try {
    return (await loss.data())[0] // waits for the device
  } finally {
    loss.dispose()
  }
}

/** On the device; whoever asks for it disposes of it. */
export interface LossAndGradients {
  /** Summed over the supervised tokens of this batch */
  readonly loss: tf.Scalar
  /**
   * Of the summed loss, not of the mean: divided early, gradients would underflow where activations are f16. A tensor that
   * the loss does not depend on is absent.
   */
  readonly gradients: ReadonlyMap<string, tf.Tensor>
  readonly dispose: () => void
}

export function lossAndGradients(trainee: Trainee, batch: Batch, options: LossOptions = {}): LossAndGradients {
  const {dropout = null, recompute = false} = options
  const {positions, targets} = paddedRows(batch.labels)
  const start = dropout?.position.join()
  tf.engine().startScope()
  try {
    const {[LOSS]: loss, ...gradients} = repeated(
      {
        isRepeatable: () => dropout?.position.join() === start,
        key: `gradients ${batch.rows} ${recompute}`,
        owner: trainee.adapters,
        slots: [batch.ids, positions, targets],
      },
      () => computeLossAndGradients(trainee, batch, options),
    )
    const kept = [loss, ...Object.values(gradients)].map((tensor) => tf.keep(tensor))
    return {
      dispose: () => tf.dispose(kept),
      gradients: new Map(Object.entries(gradients)),
      loss: loss as tf.Scalar,
    }
  } catch (error) {
    abandonTape()
    throw error
  } finally {
    tf.engine().endScope()
  }
}

/** Not the name of a variable. */
const LOSS = 'loss'

/** The loss and, by the names of their variables, the gradients. */
function computeLossAndGradients(trainee: Trainee, batch: Batch, options: LossOptions): NamedTensors {
  const variables = [...trainee.adapters.variables]
  // Not tf.variableGrads, which throws when the loss depends on none of the variables.
  const {grads, value} = tf.engine().gradients<tf.Scalar>(
    () => lossTensor(trainee, batch, options),
    variables.map(([, variable]) => variable),
    undefined,
    true,
  )
  const gradients = variables.flatMap(([name], index) => {
    const gradient = grads[index] as tf.Tensor | undefined
    return gradient ? [[name, gradient] as const] : []
  })
  return {[LOSS]: value, ...Object.fromEntries(gradients)}
}

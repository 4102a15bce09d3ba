/** The loss of one batch through model and adapters, and its gradients. Nothing here outlives the call on the device. */
import * as tf from '@tensorflow/tfjs-core'
import {type Batch} from '../data/batches.js'
import {type RandomStream} from '../data/random.js'
import {forward, type LanguageModel, summedLoss} from '../model/language-model.js'
import {type AdapterSet} from '../peft/adapter-set.js'

export interface Trainee {
  readonly model: LanguageModel
  readonly adapters: AdapterSet
}

function lossTensor({adapters, model}: Trainee, batch: Batch, dropout: RandomStream | null): tf.Scalar {
  const shape: [number, number] = [batch.rows, batch.length]
  const ids = tf.tensor2d(batch.ids, shape, 'int32') // (B, L)
  const labels = tf.tensor2d(batch.labels, shape, 'int32') // (B, L)
  const {hidden} = forward(model, adapters.sites(model.weights, dropout), ids) // (B, L, d)
  return summedLoss(model, hidden, labels)
}

/** Summed loss over the supervised tokens of the batch, without gradients. */
export function batchLoss(trainee: Trainee, batch: Batch): number {
  return tf.tidy(() => lossTensor(trainee, batch, null).dataSync()[0])
}

export interface LossAndGradients {
  /** Summed over the supervised tokens of this batch */
  readonly loss: number
  /** Of the loss divided by `divisor`. A tensor that the loss does not depend on is absent. */
  readonly gradients: ReadonlyMap<string, Float32Array>
}

/** Loss and gradients. `divisor` is the number of supervised tokens of the whole effective batch. */
export function lossAndGradients(
  trainee: Trainee,
  batch: Batch,
  divisor: number,
  dropout: RandomStream | null,
): LossAndGradients {
  const variables = [...trainee.adapters.variables]
  tf.engine().startScope()
  try {
    // Not tf.variableGrads, which throws when the loss depends on none of the variables.
    const {grads, value} = tf.engine().gradients<tf.Scalar>(
      () => tf.div(lossTensor(trainee, batch, dropout), divisor),
      variables.map(([, variable]) => variable),
      undefined,
      true,
    )
    const gradients = new Map<string, Float32Array>()
    for (const [index, [name]] of variables.entries()) {
      const gradient = grads[index] as tf.Tensor | undefined
      if (gradient) gradients.set(name, gradient.dataSync<'float32'>().slice())
    }
    return {gradients, loss: value.dataSync()[0] * divisor}
  } finally {
    tf.engine().endScope()
  }
}

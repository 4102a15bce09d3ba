/** The loss of one batch through model and adapters, and its gradients. Nothing here waits for the device. */
import * as tf from '@tensorflow/tfjs-core'
import {type Batch} from '../data/batches.js'
import {type RandomStream} from '../data/random.js'
import {forward, type LanguageModel, type Layer, type ModelState, summedLoss} from '../model/language-model.js'
import {recomputed} from '../ops/recomputed.js'
import {paddedRows} from '../ops/linear-cross-entropy/supervised-rows.js'
import {type NamedTensors, repeated} from '../ops/repeated.js'
import {abandonTape} from '../ops/tape.js'
import {type AdapterSet} from '../peft/adapter-set.js'
import {namedState, onlyContinued, stateIn} from './carried-state.js'

export interface Trainee {
  readonly model: LanguageModel
  readonly adapters: AdapterSet
}

export interface LossOptions {
  /** The source of dropout masks; null is no dropout. */
  readonly dropout?: RandomStream | null
  /** Compute the activations of each layer again in the backward pass instead of keeping them. */
  readonly recompute?: boolean
  /**
   * What rows go on with that the batch says do, null if nothing is there yet. Where it is given, what they leave is wanted
   * too, and layers cannot be recomputed.
   */
  readonly state?: ModelState | null
  /** Hears when the layers have run, and when the loss is there: where memory is counted. */
  readonly passed?: (part: 'layers' | 'loss') => void
}

/** What the model is told of the batch besides its ids, which has to live as long as the layers may run. */
interface Around {
  readonly positions: tf.Tensor2D | null // (B, L)
  /** What rows go on with; null where no row does */
  readonly state: ModelState | null
  /** 1 for the others */
  readonly begins: tf.Tensor1D | null // (B)
}

function aroundOf({continues, length, positions, rows}: Batch, {state = null}: LossOptions): Around {
  const goesOn = state && continues ? tf.tensor1d(continues) : null // (B)
  return {
    begins: goesOn && tf.sub<tf.Tensor1D>(1, goesOn), // (B)
    positions: positions ? tf.tensor2d(positions, [rows, length], 'int32') : null, // (B, L)
    state: state && goesOn && onlyContinued(state, goesOn),
  }
}

interface LossAndState {
  readonly loss: tf.Scalar
  /** After the last token; without meaning where layers are recomputed */
  readonly state: ModelState
}

/** Summed loss over the supervised tokens of the batch. */
function lossTensor(
  {adapters, model}: Trainee,
  batch: Batch,
  {begins, positions, state: before}: Around,
  {dropout = null, passed, recompute}: LossOptions,
): LossAndState {
  const shape: [number, number] = [batch.rows, batch.length]
  const ids = tf.tensor2d(batch.ids, shape, 'int32') // (B, L)
  const labels = tf.tensor2d(batch.labels, shape, 'int32') // (B, L)
  const sites = adapters.sites(model.weights, dropout, begins)
  const {hidden, state} = forward(model, sites, ids, {
    positions,
    state: before,
    ...(recompute && {runLayer: (layer, h) => recomputed(dropout ? repeatable(layer, dropout) : layer, h)}),
  }) // (B, L, d)
  passed?.('layers')
  const loss = summedLoss(sites, hidden, labels)
  passed?.('loss')
  return {loss, state}
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
  const loss = tf.tidy(() => lossTensor(trainee, batch, aroundOf(batch, options), options).loss)
  try {
    return (await loss.data())[0] // waits for the device
  } finally {
    loss.dispose()
  }
}

/** The same of a batch whose rows may go on with `state`, and what they leave, whose owner disposes of it. */
export async function carriedLoss(
  trainee: Trainee,
  batch: Batch,
  state: ModelState | null,
): Promise<{readonly loss: number; readonly state: ModelState}> {
  const left = tf.tidy(() => {
    const {loss, state: after} = lossTensor(trainee, batch, aroundOf(batch, {state}), {})
    return {loss, ...namedState(after)}
  })
  const [loss] = await left.loss.data() // waits for the device
  left.loss.dispose()
  return {loss, state: stateIn(left, trainee.model.config.layers)}
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
  /** What the next batch goes on with, if this one was given a state; its owner disposes of it. */
  readonly state: ModelState | null
  readonly dispose: () => void
}

export function lossAndGradients(trainee: Trainee, batch: Batch, options: LossOptions = {}): LossAndGradients {
  const {dropout = null, recompute = false, state} = options
  const {positions, targets} = paddedRows(batch.labels)
  const start = dropout?.position.join()
  tf.engine().startScope()
  try {
    const {[LOSS]: loss, ...others} = repeated(
      {
        carried: Object.values(namedState(state ?? [])),
        isRepeatable: () => dropout?.position.join() === start,
        key: `gradients ${batch.rows} ${recompute}${batch.positions ? ' packed' : ''}${carriedKey(state)}`,
        owner: trainee.adapters,
        slots: [
          batch.ids,
          positions,
          targets,
          ...[batch.positions, batch.continues].filter((given) => given !== undefined),
        ],
      },
      () => computeLossAndGradients(trainee, batch, options),
    )
    for (const tensor of [loss, ...Object.values(others)]) tf.keep(tensor)
    const gradients = new Map(Object.entries(others).filter(([name]) => trainee.adapters.variables.has(name)))
    const kept = [loss, ...gradients.values()]
    return {
      dispose: () => tf.dispose(kept),
      gradients,
      loss: loss as tf.Scalar,
      state: state === undefined ? null : stateIn(others, trainee.model.config.layers),
    }
  } catch (error) {
    abandonTape()
    throw error
  } finally {
    tf.engine().endScope()
  }
}

function carriedKey(state: ModelState | null | undefined): string {
  if (state === undefined) return ''
  return state ? ' carried' : ' to be carried'
}

/** Not the name of a variable. */
const LOSS = 'loss'

/** The loss, by the names of their variables the gradients, and the state that is left if one was given. */
function computeLossAndGradients(trainee: Trainee, batch: Batch, options: LossOptions): NamedTensors {
  const variables = [...trainee.adapters.variables]
  const around = aroundOf(batch, options)
  let left: ModelState = []
  // Not tf.variableGrads, which throws when the loss depends on none of the variables.
  const {grads, value} = tf.engine().gradients<tf.Scalar>(
    () => {
      const {loss, state} = lossTensor(trainee, batch, around, options)
      if (options.state !== undefined) {
        left = state.map(({scan, window}) => ({scan: tf.keep(scan), window: tf.keep(window)}))
      }
      return loss
    },
    variables.map(([, variable]) => variable),
    undefined,
    true,
  )
  const gradients = variables.flatMap(([name], index) => {
    const gradient = grads[index] as tf.Tensor | undefined
    return gradient ? [[name, gradient] as const] : []
  })
  return {[LOSS]: value, ...Object.fromEntries(gradients), ...namedState(left)}
}

/**
 * The memory of a training step on the processor, in a formula: everything is f32. TensorFlow.js keeps a copy of each input
 * of each operation there, weights included, and frees copies and gradients when the whole backward pass is over; with
 * block checkpointing that is the pass of one layer. Slices of columns are copies too.
 */
import {matrixNames, parameterShapes} from '../model/parameters.js'
import {channelGroup} from '../ops/channel-group.js'
import {parameterSpecs} from '../peft/adapter-set.js'
import {dropoutBytes} from './memory-dropout.js'
import {type StepCount} from './memory-parts.js'
import {positionsOf, sizeOf, type StepShape, sum, supervisedOf} from './memory-shape.js'

/** Numbers of logits in one piece, at most: see linear-cross-entropy.ts. */
const PIECE = 8 * 2 ** 20

export function countOnProcessor(shape: StepShape): StepCount {
  const {checkpointing, config} = shape
  const {hidden, layers} = config
  const trained = 4 * sum([...parameterSpecs(shape.adapters, config).values()].map((spec) => sizeOf(spec.shape)))
  const residual = 4 * positionsOf(shape) * hidden
  const layer = layerBytes(shape)
  const head = headBytes(shape)
  // The embedding, the last norm, and what embedding and head read
  const ends = 3 * residual + head.copies + dropoutBytes(shape).kept
  const isWhole = checkpointing === 'none'
  const activations = isWhole ? ends + layers * (layer.copies + layer.results) : ends + layers * residual
  const backward = isWhole
    ? ends + layers * (layer.copies + layer.gradients)
    : activations + layer.copies + Math.max(layer.results, layer.gradients)
  return {
    activations: Math.min(activations, backward),
    adapters: trained,
    most: {
      'the backward pass': backward + 2 * residual + trained,
      'the forward pass': activations,
      'the loss': activations + head.logits,
    },
    optimizer: 3 * trained,
    weights: weightBytes(shape),
  }
}

interface LayerBytes {
  /** Results, until the forward pass is over */
  readonly results: number
  /** Copies of what operations read, until the backward pass is over */
  readonly copies: number
  readonly gradients: number
}

function layerBytes(shape: StepShape): LayerBytes {
  const {hidden, inner, mixerEpsilon, states, timeStepRank} = shape.config
  const positions = positionsOf(shape)
  const narrow = timeStepRank + 2 * states
  const state = shape.rows * inner * states
  const normed = mixerEpsilon === null ? 0 : narrow // dt, B and C under a norm of their own
  const results =
    4 * inner + // in_proj, and x and z of it
    2 * narrow + // x_proj, and dt, B and C of it
    normed +
    3 * inner + // u, Δ and y
    3 * hidden // out_proj, the residual stream after it, and its norm
  const copies =
    4 * hidden + // what norm, in_proj and the addition read
    3 * inner + // what the first split and the convolution read
    narrow + // what the second split reads
    normed + // what the norms read
    timeStepRank + // what dt_proj reads
    inner + // what x_proj reads
    3 * inner + // u, Δ and z, which the scan reads
    2 * states + // and B and C
    inner // what out_proj reads
  const gradients =
    4 * hidden + // of the addition, the norm and in_proj
    2 * inner + // of y and x
    2 * inner + // of Δ and z
    2 * inner + // of u from x_proj, and all of it
    2 * inner + // of in_proj's result
    2 * (channelGroup(inner).groups + 1) * states + // of B and C, for each group of channels and added
    timeStepRank +
    narrow +
    normed
  return {
    copies: 4 * (positions * copies + layerWeights(shape)),
    gradients: 4 * (positions * gradients + 2 * state), // with those of A and of the first state
    results: 4 * (positions * results + state),
  }
}

/** Numbers of one layer's weights. */
function layerWeights(shape: StepShape): number {
  return sum(storedNumbers(shape, (name) => name.startsWith('backbone.layers.0.')))
}

function weightBytes(shape: StepShape): number {
  return 4 * sum(storedNumbers(shape, () => true))
}

/** Numbers of each weight. On `cpu`, matrices are kept in both layouts: see ops/product.ts. */
function storedNumbers({config, device}: StepShape, chosen: (name: string) => boolean): number[] {
  const matrices = matrixNames(config)
  const own = [...parameterShapes(config)].filter(([name]) => chosen(name))
  return own.map(([name, lengths]) => sizeOf(lengths) * (device === 'cpu' && matrices.has(name) ? 2 : 1))
}

/** Copies of the head's matrix and of the embedding, and a piece of logits with its gradient. */
function headBytes(shape: StepShape): {copies: number; logits: number} {
  const {hidden, vocabulary} = shape.config
  const rows = Math.min(supervisedOf(shape), Math.max(1, Math.floor(PIECE / vocabulary)))
  return {
    copies: 4 * vocabulary * hidden * (shape.device === 'cpu' ? 3 : 2),
    logits: 4 * rows * (2 * vocabulary + hidden),
  }
}

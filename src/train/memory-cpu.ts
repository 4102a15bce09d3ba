/**
 * The memory of a training step on the processor, in a formula: everything is f32. TensorFlow.js keeps a copy of each input
 * of each operation there, weights included, and frees copies and gradients when the whole backward pass is over; with
 * block checkpointing that is the pass of one layer. Slices of columns are copies too.
 */
import {matrixNames, parameterShapes} from '../model/parameters.js'
import {parameterSpecs} from '../peft/adapter-set.js'
import {factorNumbers} from './memory-adapters.js'
import {adapterNumbers} from './memory-cpu-adapters.js'
import {layerNumbers} from './memory-cpu-layer.js'
import {statesAdded, offsetNumbers} from './memory-cpu-state.js'
import {dropoutBytes} from './memory-dropout.js'
import {type StepCount} from './memory-parts.js'
import {positionsOf, sizeOf, type StepShape, sum, supervisedOf} from './memory-shape.js'

/** Numbers of logits in one piece, at most: see linear-cross-entropy.ts. */
const PIECE = 8 * 2 ** 20

export function countOnProcessor(shape: StepShape): StepCount {
  const {checkpointing, config} = shape
  const {hidden, layers} = config
  const specs = [...parameterSpecs(shape.adapters, config).values()]
  const trained = 4 * sum(specs.filter(({frozen}) => !frozen).map((spec) => sizeOf(spec.shape)))
  const held = 4 * sum(specs.map((spec) => sizeOf(spec.shape)))
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
    adapters: held,
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
  const {copies, gradients, results, state, stateGradients} = layerNumbers(statesAdded(shape))
  const offsets = offsetNumbers(shape)
  const {factors, gained} = factorNumbers(shape)
  const positions = positionsOf(shape)
  const adapters = adapterNumbers(shape)
  const perLayer = (numbers: number): number => numbers / shape.config.layers
  return {
    copies:
      4 *
      (positions * (copies + offsets.copies + gained + perLayer(adapters.copies)) +
        layerWeights(shape) +
        factors +
        perLayer(adapters.tensors)),
    gradients:
      4 *
      (positions * (gradients + offsets.gradients + gained + perLayer(adapters.gradients)) +
        shape.rows * stateGradients),
    results: 4 * (positions * (results + offsets.results + gained + perLayer(adapters.results)) + shape.rows * state),
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
    copies: 4 * vocabulary * hidden * (shape.device === 'cpu' ? 3 : 2) + 4 * adapterNumbers(shape).vocabulary,
    logits: 4 * rows * (2 * vocabulary + hidden),
  }
}

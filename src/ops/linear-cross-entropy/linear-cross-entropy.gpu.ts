/**
 * The head and its loss in shaders. A piece of supervised rows at a time: logits by a product, losses and dLogits by one
 * pass of workgroups over them, and at once dHidden = dLogits · W, so that no logits are computed twice. What is saved for
 * the gradient is dHidden of the supervised rows, for dy = 1.
 *
 * dLogits in f16 are multiplied by 2¹⁰, because a probability below 6e-8 is zero in f16, and a large vocabulary has many.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../../backend/gpu/launch.js'
import {flatGrid, type Format} from '../../backend/gpu/shader.js'
import {gatherRowsOnGpu} from '../gather-rows.gpu.js'
import {logits, product} from '../matrix-product/matrix-product.gpu.js'
import {type GpuDefinition, type Inputs, toTensors} from '../operation.js'
import {lossSumShader, rowLossShader, spreadGroups, spreadRowsShader} from './linear-cross-entropy.wgsl.js'
import {paddedRows, type SupervisedRows} from './supervised-rows.js'

/** Bytes of logits in one piece, at most. */
const PIECE_BYTES = 256 * 2 ** 20

const F16_SCALE = 2 ** 10

interface Piece {
  readonly hidden: tf.Tensor // (m, d)
  readonly logits: tf.Tensor // (m, V)
  /** Labels of all supervised rows; the piece's begin at `from`. */
  readonly targets: tf.Tensor
  readonly from: number
}

const hostRows = (labels: tf.Tensor): SupervisedRows => paddedRows(labels.dataSync<'int32'>())

const only = (info: tf.TensorInfo): tf.Tensor => toTensors([info])[0]

/** First supervised row of each piece. */
function pieceStarts(host: ShaderHost, count: number, vocabulary: number): {starts: number[]; rows: number} {
  const most = Math.min(PIECE_BYTES, host.facts.bindingBytes) / (4 * vocabulary)
  const rows = 2 ** Math.max(0, Math.floor(Math.log2(most)))
  return {rows, starts: Array.from({length: Math.ceil(count / rows)}, (_, index) => index * rows)}
}

/** Calls `visit` for each piece; of what lives on the device meanwhile, only its result stays. */
function forEachPiece<Result extends tf.TensorContainer>(
  host: ShaderHost,
  {hidden, weight}: Inputs,
  {positions, targets}: SupervisedRows,
  visit: (piece: Piece) => Result,
): Result[] {
  const {rows, starts} = pieceStarts(host, positions.length, weight.shape[0])
  const format = storedFormat(host, weight.shape[1] ?? 1)
  const indices = tf.tensor1d(positions, 'int32')
  const labels = tf.tensor1d(targets, 'int32')
  return starts.map((from) =>
    tf.tidy(() => {
      const count = Math.min(rows, positions.length - from)
      const part = only(gatherRowsOnGpu(host, {format, from, indices, rows: count, table: hidden})) // (m, d)
      return visit({from, hidden: part, logits: only(logits(host, part, weight)), targets: labels})
    }),
  )
}

/** How operands of products are stored. */
const storedFormat = ({precision}: ShaderHost, columns: number): 'f16' | 'f32' =>
  columns % 8 === 0 ? precision : 'f32'

const scaleOf = (format: Format): number => (format === 'f16' ? F16_SCALE : 1)

/** Losses (m) and, where a format is given, scaled dLogits (m, V) of a piece. */
function rowLosses(host: ShaderHost, piece: Piece, gradient: Format | null): {losses: tf.Tensor; dLogits: tf.Tensor[]} {
  const [rows, vocabulary] = piece.logits.shape
  const infos = host.launch({
    floats: [gradient ? scaleOf(gradient) : 1],
    grid: flatGrid(rows),
    inputs: [piece.logits, piece.targets],
    outputs: [
      ...(gradient ? [{format: gradient, shape: [rows, vocabulary ?? 1]}] : []),
      {format: 'f32' as const, shape: [rows]},
    ],
    shader: rowLossShader({gradient, vocabulary: vocabulary ?? 1}, host.facts),
    whole: [rows, piece.from],
  })
  const tensors = toTensors(infos)
  return {dLogits: tensors.slice(0, -1), losses: tensors[tensors.length - 1]}
}

/** The sum of all losses so far, a scalar. */
function addLosses(host: ShaderHost, before: tf.Tensor | null, losses: tf.Tensor): tf.Tensor {
  const [sum] = host.launch({
    grid: [1, 1, 1],
    inputs: before ? [losses, before] : [losses],
    outputs: [{format: 'f32', shape: []}],
    shader: lossSumShader(before === null),
    whole: [losses.size],
  })
  return only(sum)
}

/** Rows of dHidden back at their positions, times dy; zeros elsewhere. */
function spread(
  host: ShaderHost,
  dy: tf.Tensor,
  {hidden, labels, weight}: Inputs,
  parts: readonly tf.Tensor[],
): tf.Tensor {
  const {positions, targets} = hostRows(labels)
  const columns = hidden.shape[1] ?? 1
  const indices = tf.tensor1d(positions, 'int32')
  const chosen = tf.tensor1d(targets, 'int32')
  const {parts: zeros, whole} = host.allocateTogether([hidden.shape])
  const [out] = toTensors([...zeros, whole])
  for (const [index, from] of pieceStarts(host, positions.length, weight.shape[0]).starts.entries()) {
    const rows = parts[index].shape[0]
    host.launch({
      floats: [1 / scaleOf(storedFormat(host, weight.shape[0]))],
      grid: flatGrid(spreadGroups(rows, columns)),
      inputs: [parts[index], indices, chosen, dy],
      outputs: [],
      shader: spreadRowsShader(columns),
      updates: [out],
      whole: [rows, from],
    })
  }
  return out
}

/** dWeight: logits and dLogits once more, because they are not kept and W is hardly ever trained. */
function weightGradient(host: ShaderHost, dy: tf.Tensor, inputs: Inputs): tf.Tensor {
  const {labels, weight} = inputs
  const format = storedFormat(host, weight.shape[0])
  const parts = forEachPiece(host, inputs, hostRows(labels), (piece) => {
    const [dLogits] = rowLosses(host, piece, format).dLogits
    return only(product(host, {format: 'f32', kind: 'TN', left: dLogits, right: piece.hidden})) // (V, d)
  })
  if (parts.length === 0) return tf.zeros(weight.shape)
  const sum = parts.reduce((total, part) => tf.add(total, part))
  return tf.mul(sum, tf.mul(dy, 1 / scaleOf(format))) // (V, d)
}

export const linearCrossEntropyOnGpu: GpuDefinition = {
  gradient([dy], inputs, _settings, host, saved) {
    if (!dy) throw new Error('The loss is the only output, so it has a gradient.')
    return {
      hidden: () => tf.tidy(() => spread(host, dy, inputs, saved)), // (M, d)
      weight: () => tf.tidy(() => weightGradient(host, dy, inputs)), // (V, d)
    }
  },
  value(inputs, {recording}, host) {
    const {labels, weight} = inputs
    const format = recording ? storedFormat(host, weight.shape[0]) : null
    let sum: tf.Tensor | null = null
    const pieces = forEachPiece(host, inputs, hostRows(labels), (piece) => {
      const {dLogits, losses} = rowLosses(host, piece, format)
      sum = addLosses(host, sum, losses)
      return {
        dHidden: dLogits.map((left) => only(product(host, {format: 'f32', kind: 'NN', left, right: weight}))), // (m, d)
        sum,
      }
    })
    return {outputs: [sum ?? tf.scalar(0)], saved: pieces.flatMap(({dHidden}) => dHidden)}
  },
}

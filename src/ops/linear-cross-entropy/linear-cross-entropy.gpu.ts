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
  readonly inner: tf.Tensor | null // (m, R), of an update
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
  {hidden, inner, up, weight}: Inputs,
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
      const rowsOf = (table: tf.Tensor, stored: 'f16' | 'f32'): tf.Tensor =>
        only(gatherRowsOnGpu(host, {format: stored, from, indices, rows: count, table}))
      const part = rowsOf(hidden, format) // (m, d)
      const innerPart = inner ? rowsOf(inner, 'f32') : null // (m, R)
      const extension = innerPart ? {left: innerPart, right: up} : undefined
      const own = only(logits(host, part, weight, extension)) // (m, V)
      return visit({from, hidden: part, inner: innerPart, logits: own, targets: labels})
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

/** Rows of dHidden, or of dInner, back at their positions among the rows of `like`, times dy; zeros elsewhere. */
function spread(
  host: ShaderHost,
  dy: tf.Tensor,
  {labels, weight}: Inputs,
  like: tf.Tensor,
  parts: readonly tf.Tensor[],
): tf.Tensor {
  const {positions, targets} = hostRows(labels)
  const columns = like.shape[1] ?? 1
  const indices = tf.tensor1d(positions, 'int32')
  const chosen = tf.tensor1d(targets, 'int32')
  const {parts: zeros, whole} = host.allocateTogether([like.shape])
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
  return sumOf(parts, weight, tf.mul(dy, 1 / scaleOf(format))) // (V, d)
}

function sumOf(parts: readonly tf.Tensor[], like: tf.Tensor, factor: tf.Tensor): tf.Tensor {
  if (parts.length === 0) return tf.zeros(like.shape)
  return tf.mul(
    parts.reduce((total, part) => tf.add(total, part)),
    factor,
  )
}

/** For dy = 1 and scaled: dHidden (m, d) of a piece, and with an update dInner (m, R) and dB (V, R). */
function pieceGradients(host: ShaderHost, dLogits: tf.Tensor, {inner}: Piece, {up, weight}: Inputs): tf.Tensor[] {
  const rowsTimes = (right: tf.Tensor): tf.Tensor =>
    only(product(host, {format: 'f32', kind: 'NN', left: dLogits, right}))
  const dHidden = rowsTimes(weight) // (m, d)
  if (!inner) return [dHidden]
  return [dHidden, rowsTimes(up), only(product(host, {format: 'f32', kind: 'TN', left: dLogits, right: inner}))]
}

export const linearCrossEntropyOnGpu: GpuDefinition = {
  gradient([dy], inputs, _settings, host, saved) {
    if (!dy) throw new Error('The loss is the only output, so it has a gradient.')
    const {hidden, inner, weight} = inputs
    const pieces = pieceStarts(host, hostRows(inputs.labels).positions.length, weight.shape[0]).starts.length
    const part = (index: number): readonly tf.Tensor[] => saved.slice(index * pieces, (index + 1) * pieces)
    const toTrue = 1 / scaleOf(storedFormat(host, weight.shape[0]))
    return {
      hidden: () => tf.tidy(() => spread(host, dy, inputs, hidden, part(0))), // (M, d)
      inner: () => tf.tidy(() => spread(host, dy, inputs, inner, part(1))), // (M, R)
      up: () => tf.tidy(() => sumOf(part(2), inputs.up, tf.mul(dy, toTrue))), // (V, R)
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
      return {gradients: dLogits.flatMap((own) => pieceGradients(host, own, piece, inputs)), sum}
    })
    const kinds = [...(pieces.at(0)?.gradients.keys() ?? [])]
    // All of dHidden, then all of dInner and of dB.
    const saved = kinds.flatMap((kind) => pieces.map(({gradients}) => gradients[kind]))
    return {outputs: [sum ?? tf.scalar(0)], saved}
  },
}

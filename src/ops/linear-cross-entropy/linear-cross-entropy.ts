/**
 * The head and its loss in one:  loss = Σ_m [label_m ≥ 0] (logsumexp(W h_m) − (W h_m)[label_m]).
 * A low-rank update of the head is two inputs more, and its logits are W h_m + B i_m with i (M, R) and B (V, R).
 *
 * Logits are never held whole: supervised rows go through the head a piece at a time, and the backward pass computes each
 * piece again (on the GPU the forward pass computes what the gradient needs beside the loss). Rows with a negative label (−100, as in transformers) cost nothing. The sum is over rows, not the mean,
 * so that parts of one effective batch add up; it is accumulated in f64 (in f32 on the GPU).
 */
import * as tf from '@tensorflow/tfjs-core'
import {askKernel, launchKernel} from '../../backend/kernel-host.js'
import {defineOperation, type Inputs, toTensors} from '../operation.js'
import {gatherRows} from '../rows.js'
import {timesTransposed, transposedTimes} from '../product.js'
import {linearCrossEntropyOnGpu} from './linear-cross-entropy.gpu.js'
import {supervisedRows} from './supervised-rows.js'

/** Logits in one piece, at most: 32 MiB. */
const PIECE = 8 * 2 ** 20

export interface HeadLossInputs {
  readonly hidden: tf.Tensor2D // (M, d)
  readonly labels: tf.Tensor1D // (M) int32, negative = ignored
  readonly weight: tf.Tensor2D // (V, d)
  readonly weightTransposed: tf.Tensor2D | null // (d, V)
  readonly inner?: tf.Tensor2D // (M, R), only with up
  readonly up?: tf.Tensor2D // (V, R)
}

interface Piece {
  readonly hidden: tf.Tensor2D // (m, d)
  readonly labels: tf.Tensor1D // (m)
  readonly logits: tf.Tensor2D // (m, V)
  readonly inner: tf.Tensor2D | null // (m, R)
}

/** Calls `visit` for each piece of supervised rows; a piece's tensors live for that call. */
function forEachPiece(inputs: Inputs, visit: (piece: Piece, from: number) => tf.Tensor[]): tf.Tensor[][] {
  const {hidden, inner, labels, up, weight, weightTransposed} = inputs
  const {positions, targets} = supervisedRows(labels)
  const rows = Math.max(1, Math.floor(PIECE / weight.shape[0]))
  const results: tf.Tensor[][] = []
  for (let from = 0; from < positions.length; from += rows) {
    const result = tf.tidy(() => {
      const chosen = tf.tensor1d(positions.subarray(from, from + rows), 'int32')
      const part = gatherRows(hidden, chosen) // (m, d)
      const plain: tf.Tensor2D = weightTransposed
        ? tf.matMul<tf.Tensor2D>(part, weightTransposed)
        : timesTransposed(part, weight as tf.Tensor2D)
      const innerPart = inner ? gatherRows(inner, chosen) : null // (m, R)
      const logits = innerPart ? tf.add<tf.Tensor2D>(plain, timesTransposed(innerPart, up as tf.Tensor2D)) : plain
      const own = tf.tensor1d(targets.subarray(from, from + rows), 'int32')
      return visit({hidden: part, inner: innerPart, labels: own, logits}, from)
    })
    results.push(result)
  }
  return results
}

function dLogitsOf({labels, logits}: Piece, scale: number): tf.Tensor2D {
  const [rows, columns] = logits.shape
  const [dLogits] = toTensors(
    launchKernel(tf.backend(), {
      inputs: [logits, labels],
      items: rows,
      kernel: 'crossEntropyBackward',
      numbers: [columns, scale],
      outputs: [logits.shape],
      scratch: askKernel(tf.backend(), 'crossEntropyScratch'),
      work: logits.size,
    }),
  )
  return dLogits as tf.Tensor2D // (m, V)
}

/** Supervised rows (m, n), piece by piece, at their places among all rows, of the shape of `like` (M, n); zeros elsewhere. */
function spread(parts: readonly tf.Tensor[], like: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const {positions} = supervisedRows(labels)
  if (positions.length === 0) return tf.zerosLike(like)
  const zeros = tf.zeros<tf.Rank.R2>([1, like.shape[1] ?? 1])
  const chosen = tf.concat2d([...parts.map((part) => part as tf.Tensor2D), zeros], 0)
  // Row m of the result is its supervised row, or the row of zeros that was put last.
  const rows = new Int32Array(labels.size).fill(positions.length)
  for (const [index, position] of positions.entries()) rows[position] = index
  return gatherRows(chosen, tf.tensor1d(rows, 'int32')) // (M, n)
}

/** With an update all gradients come from one walk over the pieces, whose logits are computed once. */
function updatedGradients(inputs: Inputs, scale: number): Record<'hidden' | 'inner' | 'up', tf.Tensor> {
  const {hidden, inner, labels, up, weight} = inputs
  const parts = forEachPiece(inputs, (piece) => {
    const dLogits = dLogitsOf(piece, scale) // (m, V)
    const dUp = transposedTimes(piece.inner as tf.Tensor2D, dLogits) // (R, V)
    return [tf.matMul(dLogits, weight), tf.matMul(dLogits, up), dUp]
  })
  const column = (index: number): tf.Tensor[] => parts.map((part) => part[index])
  return {
    hidden: spread(column(0), hidden, labels), // (M, d)
    inner: spread(column(1), inner, labels), // (M, R)
    up: parts.length === 0 ? tf.zerosLike(up) : tf.transpose(tf.addN(column(2))), // (V, R)
  }
}

const headLoss = defineOperation({
  gradient([dy], inputs) {
    const {hidden, labels, weight} = inputs
    const scale = dy.dataSync()[0]
    const updated = inputs.inner ? updatedGradients(inputs, scale) : null
    return {
      ...(updated && {inner: () => updated.inner, up: () => updated.up}),
      hidden() {
        if (updated) return updated.hidden
        const parts = forEachPiece(inputs, (piece) => [tf.matMul<tf.Tensor2D>(dLogitsOf(piece, scale), weight)])
        return spread(parts.flat(), hidden, labels) // (M, d)
      },
      weight() {
        const parts = forEachPiece(inputs, (piece) => [transposedTimes(dLogitsOf(piece, scale), piece.hidden)])
        return parts.length === 0 ? tf.zerosLike(weight) : tf.addN(parts.map(([part]) => part)) // (V, d)
      },
    }
  },
  gpu: linearCrossEntropyOnGpu,
  name: 'MambaLinearCrossEntropy',
  value(inputs, _settings, backend) {
    let loss = 0
    forEachPiece(inputs, ({labels, logits}) => {
      const [rows, columns] = logits.shape
      const [parts] = toTensors(
        launchKernel(backend, {
          inputs: [logits, labels],
          items: rows,
          kernel: 'crossEntropyForward',
          numbers: [columns],
          outputs: [[rows, 2]],
          scratch: askKernel(backend, 'crossEntropyScratch'),
          work: logits.size,
        }),
      )
      const values = parts.dataSync()
      for (let row = 0; row < rows; row++) loss += Math.log(values[2 * row]) + values[2 * row + 1]
      return []
    })
    return tf.scalar(loss)
  },
})

/** The summed loss of all supervised rows, a scalar. */
export function linearCrossEntropy({weightTransposed, ...inputs}: HeadLossInputs): tf.Scalar {
  return headLoss({...inputs, ...(weightTransposed && {weightTransposed})})[0] as tf.Scalar
}

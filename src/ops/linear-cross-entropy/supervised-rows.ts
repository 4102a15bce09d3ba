/** Which rows have a loss. */
import type * as tf from '@tensorflow/tfjs-core'

export interface SupervisedRows {
  /** Ascending */
  readonly positions: Int32Array
  readonly targets: Int32Array
}

/** Rows with a label that is not negative, and their labels. Labels (M) int32 come from the host and are still there. */
export function supervisedRows(labels: tf.Tensor): SupervisedRows {
  return rowsOf(labels.dataSync<'int32'>())
}

function rowsOf(labels: Int32Array): SupervisedRows {
  const positions = Int32Array.from(labels.keys()).filter((row) => labels[row] >= 0)
  return {positions, targets: positions.map((row) => labels[row])}
}

/** Rows are padded to a multiple of this, so that batches of one shape with a few labels more or less are the same work. */
const PADDING = 64

const padded = new WeakMap<Int32Array, SupervisedRows>()

/**
 * The same with some rows more at the end, whose target is negative and whose position is the last one's, so that their
 * numbers are those of a row that counts; never more rows than there are labels. For the same array of labels it gives the same arrays: see backend/gpu/repeated-work.ts.
 */
export function paddedRows(labels: Int32Array): SupervisedRows {
  let rows = padded.get(labels)
  if (!rows) padded.set(labels, (rows = pad(rowsOf(labels), labels.length)))
  return rows
}

function pad({positions, targets}: SupervisedRows, most: number): SupervisedRows {
  const rows = Math.min(most, PADDING * Math.ceil(positions.length / PADDING))
  const paddedPositions = new Int32Array(rows).fill(positions[positions.length - 1] ?? 0)
  const paddedTargets = new Int32Array(rows).fill(-1)
  paddedPositions.set(positions)
  paddedTargets.set(targets)
  return {positions: paddedPositions, targets: paddedTargets}
}

/** Which rows have a loss. */
import type * as tf from '@tensorflow/tfjs-core'

export interface SupervisedRows {
  /** Ascending */
  readonly positions: Int32Array
  readonly targets: Int32Array
}

/** Rows with a label that is not negative, and their labels. Labels (M) int32 come from the host and are still there. */
export function supervisedRows(labels: tf.Tensor): SupervisedRows {
  const all = labels.dataSync<'int32'>()
  const positions = Int32Array.from(all.keys()).filter((row) => all[row] >= 0)
  return {positions, targets: positions.map((row) => all[row])}
}

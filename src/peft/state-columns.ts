/** The columns of B and C: G groups side by side, each with a column for every state, those of additional scans last. */
import * as tf from '@tensorflow/tfjs-core'
import {type MambaConfig} from '../model/config.js'
import {type AnyScanInputs} from '../model/sites.js'
import {splitColumns} from '../ops/rows.js'

/** G, and 1 where B and C are not divided. */
export function groupsOf(config: MambaConfig): number {
  return config.architecture === 'mamba2' ? config.groups : 1
}

/** Each group's columns of the model's own N states: (B, L, G (N + …)) → G × (B, L, N) */
export function firstStates(matrix: tf.Tensor3D, groups: number, states: number): tf.Tensor3D[] {
  const others = matrix.shape[2] / groups - states
  if (others === 0) return groups === 1 ? [matrix] : splitColumns(matrix, Array<number>(groups).fill(states))
  const widths = Array.from({length: groups}, () => [states, others]).flat()
  return splitColumns(matrix, widths).filter((_, index) => index % 2 === 0)
}

/** Puts each group's new columns behind its own: (B, L, GN), (B, L, Gk) → (B, L, G (N + k)) */
export function joinStates(matrix: tf.Tensor3D, added: tf.Tensor3D, groups: number): tf.Tensor3D {
  if (groups === 1) return tf.concat3d([matrix, added], 2)
  const [own, others] = [matrix, added].map((part) =>
    splitColumns(part, Array<number>(groups).fill(part.shape[2] / groups)),
  )
  return tf.concat3d(
    own.flatMap((columns, group) => [columns, others[group]]),
    2,
  )
}

/** A first state of fewer states than there are columns is zero in the others, as a sequence's start is. */
export function withEveryState<Inputs extends AnyScanInputs>(inputs: Inputs, groups: number): Inputs {
  const {b, h0} = inputs
  const missing = h0 ? b.shape[2] / groups - h0.shape[h0.rank - 1] : 0
  if (!h0 || missing === 0) return inputs
  const paddings = h0.shape.map((_, axis): [number, number] => [0, axis === h0.rank - 1 ? missing : 0])
  return {...inputs, h0: tf.pad(h0, paddings)} // (B, …, N + k)
}

/**
 * The meaning of rows that hold several sequences: each sequence is cut out of its row and computed by itself, from the
 * row's first state, and the results are laid end to end again.
 */
import * as tf from '@tensorflow/tfjs-core'

interface Outputs<State extends tf.Tensor> {
  readonly y: tf.Tensor3D // (B, L, ·)
  readonly last: State // (B, …)
}

/** What an operation on sequences does with a row that is one: steps (1, L, ·), first state (1, …). */
type Run<Name extends string, State extends tf.Tensor> = (
  steps: Record<Name, tf.Tensor3D>,
  state: State | null,
) => Outputs<State>

/** `steps` are the inputs that have steps. A row's last state is that of its last sequence. */
export function eachSequence<Name extends string, State extends tf.Tensor>(
  positions: tf.Tensor2D,
  steps: Record<Name, tf.Tensor3D>,
  state: State | null,
  run: Run<Name, State>,
): Outputs<State> {
  const rows = positions.arraySync().map((ages, row) => {
    const starts = ages.flatMap((age, t) => (t === 0 || age === 0 ? [t] : []))
    const parts = starts.map((from, index) => {
      const length = (starts[index + 1] ?? ages.length) - from
      const taken = Object.entries<tf.Tensor3D>(steps).map(([name, value]) => [
        name,
        tf.slice3d(value, [row, from, 0], [1, length, -1]), // (1, l, ·)
      ])
      const first = state && tf.slice(state, row, 1) // (1, …)
      return run(Object.fromEntries(taken) as Record<Name, tf.Tensor3D>, first)
    })
    return {
      last: parts[parts.length - 1].last,
      y: tf.concat3d(
        parts.map(({y}) => y),
        1,
      ),
    } // (1, …), (1, L, ·)
  })
  return {
    last: tf.concat(rows.map(({last}) => last)), // (B, …)
    y: tf.concat3d(
      rows.map(({y}) => y),
      0,
    ), // (B, L, ·)
  }
}

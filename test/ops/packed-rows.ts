/** Rows that hold several sequences: where they begin, as the operations are told. */
import {type Values} from '../support/values.js'

/** positions (B, L): `starts[row]` are the steps at which sequences begin; step 0 always is one. */
export function positionsOf(length: number, starts: readonly (readonly number[])[]): Values {
  const data = Int32Array.from({length: starts.length * length}, (_, index) => {
    const t = index % length
    return t - Math.max(0, ...starts[Math.floor(index / length)].filter((start) => start <= t))
  })
  return {data, shape: [starts.length, length]}
}

/** Steps 1 … length − 1 */
export const every = (length: number): number[] => Array.from({length: length - 1}, (_, t) => t + 1)

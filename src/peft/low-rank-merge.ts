/**
 * What merging a low-rank update does to a weight:  W[rows] += s B A, and with magnitudes m, as DoRA has them,
 * W[rows] += m ⊙ V / ‖V‖ − W₀[rows] with V = W₀[rows] + s B A and W₀ the weight before any update. Sums in f64.
 */
import {type AdaptableSite} from './sites-of.js'

export interface MergedFactors {
  readonly up: ArrayLike<number> // B (rows, r)
  readonly down: ArrayLike<number> // A (r, in)
  readonly rank: number
  readonly scale: number
  readonly magnitudes: ArrayLike<number> | null // m (rows)
}

/** Changes the rows of the site in `weight`. */
export function mergeFactors(
  weight: Float32Array,
  base: Float32Array,
  {from, inputs, to}: AdaptableSite,
  {down, magnitudes, rank, scale, up}: MergedFactors,
): void {
  const row = new Float64Array(inputs)
  for (let out = 0; out < to - from; out++) {
    row.fill(0)
    for (let k = 0; k < rank; k++) {
      const factor = up[out * rank + k]
      for (let i = 0; i < inputs; i++) row[i] += factor * down[k * inputs + i]
    }
    const at = (from + out) * inputs
    const gain = magnitudes && magnitudes[out] / lengthOf(row, base, at, scale)
    for (let i = 0; i < inputs; i++) {
      const update = scale * row[i]
      weight[at + i] += gain === null ? update : gain * (base[at + i] + update) - base[at + i]
    }
  }
}

/** ‖W₀ + s B A‖ of one row. */
function lengthOf(row: Float64Array, base: Float32Array, at: number, scale: number): number {
  let squares = 0
  for (let i = 0; i < row.length; i++) squares += (base[at + i] + scale * row[i]) ** 2
  return Math.sqrt(squares)
}

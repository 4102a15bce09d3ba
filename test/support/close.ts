/**
 * Comparison of tensors by value. Unlike TensorFlow.js's own comparator it never forgives NaN or infinity, and its
 * absolute tolerance is relative to the largest expected value, because gradients may be as small as 1e-8.
 */

export interface Tolerance {
  /** Relative to each expected value. */
  readonly relative: number
  /** Relative to the largest expected value of the tensor. */
  readonly absolute: number
}

/** What f32 sums of a few hundred terms in another order may differ by: some hundred units in the last place. */
export const F32: Tolerance = {absolute: 1e-5, relative: 1e-4}

/** Describes the worst difference beyond the tolerance, or returns null. */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  {absolute, relative}: Tolerance = F32,
): string | null {
  if (actual.length !== expected.length) return `${actual.length} values, expected ${expected.length}`
  let largest = 0
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]))
  let worst: string | null = null
  let worstExcess = 0
  for (let i = 0; i < expected.length; i++) {
    const excess = Math.abs(actual[i] - expected[i]) - (relative * Math.abs(expected[i]) + absolute * largest)
    if (!(excess <= worstExcess)) {
      worst = `[${i}] is ${actual[i]}, expected ${expected[i]}; largest expected ${largest}`
      worstExcess = Number.isNaN(excess) ? Infinity : excess
    }
  }
  return worst
}

/** How far results are from what they should be. */
import {type Precision, type Results} from './subject.js'

/** A difference may be relative · |expected| + absolute · (largest |expected| of the tensor). */
export interface Tolerance {
  readonly relative: number
  readonly absolute: number
}

/**
 * f32: what sums of a few hundred terms in another order may differ by. f16: a unit in the last place (2⁻¹⁰) of the value
 * itself, and two for the roundings before it, of inner activations and of gradients on their way.
 */
export const TOLERANCES: Readonly<Record<Precision, Tolerance>> = {
  f16: {absolute: 2 ** -9, relative: 2 ** -10},
  f32: {absolute: 1e-5, relative: 1e-4},
}

export interface Difference {
  /** The largest difference as a share of the largest expected value; Infinity where numbers are not comparable */
  readonly error: number
  /** What is beyond the tolerance, in words; null if nothing is */
  readonly fault: string | null
}

/** By name. NaN and infinity are faults wherever they are not expected; so is what only one side has. */
export function differences(actual: Results, expected: Results, tolerance: Tolerance): Record<string, Difference> {
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)])
  return Object.fromEntries(
    [...names].map((name) => {
      if (!(name in actual)) return [name, {error: Infinity, fault: 'is missing'}]
      if (!(name in expected)) return [name, {error: Infinity, fault: 'is not expected'}]
      return [name, difference(actual[name], expected[name], tolerance)]
    }),
  )
}

function difference(actual: Float32Array, expected: Float32Array, {absolute, relative}: Tolerance): Difference {
  if (actual.length !== expected.length) {
    return {error: Infinity, fault: `has ${actual.length} numbers, expected ${expected.length}`}
  }
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  let widest = 0
  let worst = -1
  let worstExcess = 0
  for (let i = 0; i < expected.length; i++) {
    const off = actual[i] === expected[i] ? 0 : distance(actual[i], expected[i])
    widest = Math.max(widest, off)
    const excess = off - (relative * Math.abs(expected[i]) + absolute * largest)
    if (excess <= worstExcess) continue
    worst = i
    worstExcess = excess
  }
  const error = widest === 0 ? 0 : widest / largest
  if (worst < 0) return {error, fault: null}
  return {error, fault: `[${worst}] is ${actual[worst]}, expected ${expected[worst]}; largest expected ${largest}`}
}

/** Infinite where either is not a finite number. */
function distance(actual: number, expected: number): number {
  const off = Math.abs(actual - expected)
  return Number.isFinite(off) ? off : Infinity
}

/**
 * The numeric check of gradients. With f the operation as a plain f64 function, J its derivative with respect to one input,
 * v a random cotangent of the outputs and p a random direction of the input, drawn independently:
 *
 *   ⟨v, J p⟩ = (⟨v, f(x + h p)⟩ − ⟨v, f(x − h p)⟩) / 2h   has to equal   ⟨Jᵀ v, p⟩,  Jᵀ v being the gradient under test.
 *
 * Each input is moved alone, so a fault carries the name of its gradient.
 */
import {F32, type Tolerance} from './close.js'
import {type Faults} from './compare.js'
import {gradientName, randomCotangent, type Results} from './evaluate.js'
import {direction, type Named, type Numbers} from './values.js'

/** The error of the central difference is about h² from the cubic term and 1e-16 / h from rounding: both near 1e-11. */
const STEP = 1e-5

/** Standard deviations that a sum of errors with random signs may reach: more happens by chance once in two million. */
const DEVIATIONS = 5

/** Faults of the gradients in `results`, by name. */
export function numericFaults(
  exact: (inputs: Named) => Numbers,
  inputs: Named,
  wanted: readonly string[],
  results: Results,
): Faults {
  const faults: Faults = {}
  for (const name of wanted) {
    const gradient = results[gradientName(name)]
    const moved = direction(`direction of ${name}`, gradient.length)
    const expected = (along(exact, inputs, name, moved, STEP) - along(exact, inputs, name, moved, -STEP)) / (2 * STEP)
    const actual = dot(gradient, moved)
    const allowed = allowedError(gradient)
    if (!(Math.abs(actual - expected) <= allowed)) {
      faults[gradientName(name)] = `in a random direction is ${actual}, expected ${expected} ± ${allowed}`
    }
  }
  return faults
}

/** ⟨v, f(x + h p)⟩ */
function along(
  exact: (inputs: Named) => Numbers,
  inputs: Named,
  name: string,
  moved: Float32Array,
  step: number,
): number {
  const {data, shape} = inputs[name]
  const shifted = Float64Array.from(data, (value, index) => value + step * moved[index])
  const outputs = exact({...inputs, [name]: {data: shifted, shape}})
  return Object.entries(outputs).reduce(
    (sum, [output, values]) => sum + dot(randomCotangent(output, values.length), values),
    0,
  )
}

/**
 * The elements' errors e are at most the tolerance of the number format and do not know the direction p, whose elements are
 * independent and standard normal: so ⟨e, p⟩ has mean 0 and standard deviation |e|.
 */
function allowedError(gradient: Float32Array, {absolute, relative}: Tolerance = F32): number {
  const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const squares = gradient.reduce((sum, value) => sum + (relative * Math.abs(value) + absolute * largest) ** 2, 0)
  return DEVIATIONS * Math.sqrt(squares)
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

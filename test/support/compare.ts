/** Comparisons of whole sets of named arrays. Each returns the faults by name, so a test expects an empty object. */
import {difference, F32, type Tolerance} from './close.js'

export type Faults = Record<string, string>
type Arrays = Readonly<Record<string, ArrayLike<number>>>

/** Arrays that differ by more than the tolerance, or that only one side has. */
export function faultsOf(actual: Arrays, expected: Arrays, tolerance: Tolerance = F32): Faults {
  return compare(actual, expected, (a, e) => difference(a, e, tolerance))
}

/** Arrays that differ in any bit, zero's sign and NaN's payload included. */
export function bitFaultsOf(
  actual: Readonly<Record<string, Float32Array>>,
  expected: Readonly<Record<string, Float32Array>>,
): Faults {
  return compare(actual, expected, (a, e) => bitDifference(a as Float32Array, e as Float32Array))
}

function compare(
  actual: Arrays,
  expected: Arrays,
  describe: (a: ArrayLike<number>, e: ArrayLike<number>) => string | null,
): Faults {
  const faults: Faults = {}
  for (const name of new Set([...Object.keys(actual), ...Object.keys(expected)])) {
    const fault = !(name in actual)
      ? 'is missing'
      : !(name in expected)
        ? 'is not expected'
        : describe(actual[name], expected[name])
    if (fault !== null) faults[name] = fault
  }
  return faults
}

function bitDifference(actual: Float32Array, expected: Float32Array): string | null {
  if (actual.length !== expected.length) return `${actual.length} values, expected ${expected.length}`
  const [a, e] = [actual, expected].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length))
  const at = a.findIndex((bits, index) => bits !== e[index])
  return at < 0 ? null : `[${at}] is ${actual[at]}, expected the bits of ${expected[at]}`
}

/** Faults of several comparisons in one object, each name preceded by its comparison's. */
export function prefixed(prefix: string, faults: Faults): Faults {
  return Object.fromEntries(Object.entries(faults).map(([name, fault]) => [`${prefix} ${name}`, fault]))
}

import {beforeAll, describe, expect, test} from '@jest/globals'
import * as tf from '@tensorflow/tfjs-core'
import {askKernel, launchKernel} from '../../src/backend/kernel-host.js'
import {useBackend} from '../support/device.js'

/** Half a unit in the last place of a number in [1, 2): what one f32 operation may be off by, relatively. */
const U = 2 ** -24

/** −80 … 80 in steps of 1/128, and numbers near zero. */
const POINTS = Float32Array.of(
  ...Array.from({length: 160 * 128 + 1}, (_, index) => index / 128 - 80),
  ...Array.from({length: 2051}, (_, index) => Math.fround(Math.sinh((index - 1025) / 60) * 1e-7)),
)

beforeAll(() => useBackend('wasm'))

function apply(kernel: string, points: Float32Array): Float32Array {
  const padded = new Float32Array(4 * Math.ceil(points.length / 4))
  padded.set(points)
  return tf.tidy(() => {
    const [output] = launchKernel(tf.backend(), {
      inputs: [tf.tensor1d(padded)],
      items: 1,
      kernel,
      numbers: [padded.length],
      outputs: [[padded.length]],
      scratch: askKernel(tf.backend(), 'mathematicsScratch'),
      work: padded.length,
    })
    return tf.engine().makeTensorFromTensorInfo(output).dataSync<'float32'>().slice(0, points.length)
  })
}

/** The points where the relative error is above the bound, worst first. */
function beyond(kernel: string, exact: (x: number) => number, bound: (x: number) => number): string[] {
  const values = apply(kernel, POINTS)
  const excess = Array.from(POINTS, (x, index) => {
    const error = Math.abs(values[index] - exact(x)) / exact(x)
    return {error, over: error - bound(x), x}
  })
  return excess
    .filter(({over}) => !(over <= 0))
    .sort((a, b) => b.over - a.over)
    .map(({error, x}) => `at ${x} the error is ${error}, allowed ${bound(x)}`)
}

// e^x = 2^y with y = x / ln 2. The constant 1 / ln 2 and the product with it are rounded, so y is off by 2 U |y| at most
// and 2^y by the factor 2^(2 U |y|), which is 1 + 2 U |x|: hence 1.2e-7 |x|. The rest does not grow with x: y = n + f is
// exact, and 2^f = 1 + f p by Horner's rule for |f| ≤ ½. The sum is rounded by U; f p is at most 0.42 of the result and
// carries the roundings of the product and of p, 2.5 U, which makes 1.1 U; the polynomial's own error is 1e-8, 0.2 U.
const exponentialBound = (x: number): number => 3 * U + 2 * U * Math.abs(x)

// softplus(x) = max(x, 0) + log1p(t), t = e^−|x|. A relative error of t reaches log1p(t) with the factor
// t / ((1 + t) log1p(t)), at most 1. s = t / (2 + t) is rounded twice, the series in s² once at its leading 1, and its
// product with 2 s once. The final sum adds U; where x is positive it makes the others smaller.
const softplusBound = (x: number): number => exponentialBound(x) + 5 * U

describe('the mathematics of the kernels', () => {
  test('has exponentials right to the roundings of their argument', () => {
    expect(beyond('exponentials', Math.exp, exponentialBound)).toEqual([])
  })

  test('has softplus right to the roundings of its argument, and as small as it really is for negative numbers', () => {
    const exact = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
    expect(beyond('softpluses', exact, softplusBound)).toEqual([])
  })

  test('is exact where it can be', () => {
    expect([...apply('exponentials', Float32Array.of(0, -0))]).toEqual([1, 1])
    expect([...apply('softpluses', Float32Array.of(80, 1e30, Infinity))]).toEqual([80, Math.fround(1e30), Infinity])
  })

  test('saturates outside the range of f32 without a NaN or an infinity', () => {
    const [none, low, high, all] = apply('exponentials', Float32Array.of(-Infinity, -1e30, 1e30, Infinity))
    expect([none, low]).toEqual([2 ** -126, 2 ** -126])
    expect([high, all]).toEqual([2 ** 127, 2 ** 127])
  })

  test.each(['exponentials', 'softpluses'])('returns NaN for every kind of NaN: %s', (kernel) => {
    const bits = [0x7f_c0_00_00, 0xff_c0_00_00, 0x7f_80_00_01, 0xff_ff_ff_ff, 0x7f_c0_00_81, 0xff_c0_01_ff]
    const nans = new Float32Array(Uint32Array.from(bits).buffer)
    expect([...apply(kernel, nans)]).toEqual(bits.map(() => Number.NaN))
  })
})

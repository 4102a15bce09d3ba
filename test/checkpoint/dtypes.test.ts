/** Conversions between number formats, against definitions that share nothing with the code: value by value, in f64. */
import {describe, expect, test} from '@jest/globals'

import {fromFloat32, toFloat32} from '../../src/checkpoint/dtypes.js'
import {FileError} from '../../src/errors.js'

interface Format {
  readonly dtype: 'BF16' | 'F16'
  readonly exponentBits: number
  readonly mantissaBits: number
}

const float16: Format = {dtype: 'F16', exponentBits: 5, mantissaBits: 10}
const bfloat16: Format = {dtype: 'BF16', exponentBits: 8, mantissaBits: 7}

/** IEEE 754: the value of a code, written down from the definition. */
function decode(code: number, {exponentBits, mantissaBits}: Format): number {
  const sign = code >= 0x8000 ? -1 : 1
  const exponent = Math.floor((code % 0x8000) / 2 ** mantissaBits)
  const mantissa = code % 2 ** mantissaBits
  const bias = 2 ** (exponentBits - 1) - 1
  if (exponent === 2 ** exponentBits - 1) return mantissa === 0 ? sign * Infinity : NaN
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits)
  return sign * (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias)
}

/** The positive finite codes in order of value; beyond the largest comes the value that the next exponent would have. */
function positiveValues(format: Format): number[] {
  const infinity = (2 ** format.exponentBits - 1) * 2 ** format.mantissaBits
  const values = Array.from({length: infinity}, (_, code) => decode(code, format))
  return [...values, 2 * decode(infinity - 2 ** format.mantissaBits, format)]
}

/** Nearest code by search, ties to the even code. */
function nearest(value: number, values: readonly number[]): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (magnitude >= values[values.length - 1]) return sign + values.length - 1
  let low = 0
  let high = values.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (values[middle] <= magnitude) low = middle
    else high = middle
  }

  const down = magnitude - values[low]
  const up = values[high] - magnitude
  if (down === up) return sign + (low % 2 === 0 ? low : high)
  return sign + (down < up ? low : high)
}

function allCodes(): Uint16Array {
  return Uint16Array.from({length: 65_536}, (_, code) => code)
}

function bytesOf(array: Float32Array | Float64Array | Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer)
}

function codesOf(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
}

/** Bit patterns from a linear congruential generator: the same on every run. */
function randomFloats(count: number): Float32Array {
  const bits = new Uint32Array(count)
  let state = 12_345
  for (let i = 0; i < count; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const high = state >>> 16
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bits[i] = (high << 16) | (state >>> 16)
  }

  return new Float32Array(bits.buffer)
}

describe.each([float16, bfloat16])('$dtype', (format) => {
  test('each of the 65,536 codes has its value', () => {
    const values = toFloat32(bytesOf(allCodes()), format.dtype)
    const wrong = [...values].filter((value, code) => !Object.is(value, decode(code, format)))
    expect(wrong).toEqual([])
  })

  test('each of the 65,536 codes comes back as it was, the payloads of NaN included', () => {
    const back = fromFloat32(toFloat32(bytesOf(allCodes()), format.dtype), format.dtype)
    expect(Buffer.compare(back, bytesOf(allCodes()))).toBe(0)
  })

  test('the middle between two neighbours goes to the even one, a hair beside it to the nearer one', () => {
    const values = positiveValues(format)
    const probes: number[] = []
    for (let code = 0; code + 1 < values.length; code += 1) {
      const middle = (values[code] + values[code + 1]) / 2
      probes.push(middle, -middle)
      // The neighbours of the middle in f32, by one step of its bits.
      const bits = new Uint32Array(Float32Array.of(middle, middle).buffer)
      bits[0] -= 1
      bits[1] += 1
      probes.push(...new Float32Array(bits.buffer))
    }

    const floats = Float32Array.from(probes)
    const got = codesOf(fromFloat32(floats, format.dtype))
    const wrong = [...floats].filter((value, i) => got[i] !== nearest(value, values))
    expect(wrong).toEqual([])
    expect(floats.length).toBeGreaterThan(4 * 31_000)
  })

  test('random f32 values go to the nearest code', () => {
    const values = positiveValues(format)
    const floats = randomFloats(50_000)
    const got = codesOf(fromFloat32(floats, format.dtype))
    const wrong = [...floats].filter((value, i) => {
      if (Number.isNaN(value)) return !Number.isNaN(decode(got[i], format))
      return got[i] !== nearest(value, values)
    })
    expect(wrong).toEqual([])
  })

  test('a NaN stays a NaN of its sign, whatever its payload', () => {
    const bits = Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000, 0x7f801fff)
    const codes = codesOf(fromFloat32(new Float32Array(bits.buffer), format.dtype))
    expect([...codes].map((code) => decode(code, format))).toEqual([NaN, NaN, NaN, NaN, NaN, NaN])
    expect([...codes].map((code) => code >>> 15)).toEqual([0, 1, 0, 1, 0, 0])
  })

  test('signed zeros, infinities and overflow', () => {
    const floats = Float32Array.of(0, -0, Infinity, -Infinity, 3.4028234663852886e38, -3.4028234663852886e38)
    const infinity = (2 ** format.exponentBits - 1) * 2 ** format.mantissaBits
    const expected = [0, 0x8000, infinity, infinity + 0x8000, infinity, infinity + 0x8000]
    expect([...codesOf(fromFloat32(floats, format.dtype))]).toEqual(expected)
  })
})

test('F32 goes through bit for bit in both directions, NaN payloads included', () => {
  const floats = randomFloats(10_000)
  const bytes = fromFloat32(floats, 'F32')
  expect(Buffer.compare(bytes, new Uint8Array(floats.buffer))).toBe(0)
  expect(Buffer.compare(new Uint8Array(toFloat32(bytes, 'F32').buffer), bytes)).toBe(0)
})

test('F64 is rounded to the nearest f32', () => {
  const doubles = Float64Array.of(1 / 3, 1e-46, 1e300, -1e300, 1 + 2 ** -24, 1 + 3 * 2 ** -24, -0, NaN)
  expect([...toFloat32(bytesOf(doubles), 'F64')]).toEqual([...doubles].map((value) => Math.fround(value)))
})

test.each(['F64', 'F32', 'F16', 'BF16'] as const)('%s is read from any address', (dtype) => {
  const source = bytesOf(randomFloats(64))
  const shifted = new Uint8Array(source.length + 1)
  shifted.set(source, 1)
  const read = toFloat32(shifted.subarray(1), dtype)
  expect(read).toEqual(toFloat32(source, dtype))
  expect(toFloat32(Buffer.from(shifted.buffer, 1), dtype)).toEqual(read)
})

test('part of a longer array is converted, not its neighbours', () => {
  const part = Float32Array.of(9, 1, 2, 9).subarray(1, 3)
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    expect([...toFloat32(fromFloat32(part, dtype), dtype)]).toEqual([1, 2])
  }
})

test('integers are refused as floating-point values, and so are bytes that do not divide', () => {
  expect(() => toFloat32(new Uint8Array(8), 'I64')).toThrow(FileError)
  expect(() => toFloat32(new Uint8Array(8), 'BOOL')).toThrow('Cannot read BOOL as floating-point values')
  expect(() => toFloat32(new Uint8Array(7), 'F32')).toThrow('expected a multiple of 4')
})

test('no values are converted to no values', () => {
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    expect(toFloat32(fromFloat32(new Float32Array(0), dtype), dtype)).toHaveLength(0)
  }
})

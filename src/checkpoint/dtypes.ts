/**
 * The number formats of safetensors files, and exact conversion of the floating-point ones from and to f32.
 * Conversions work on the bits, whole arrays at a time: every value, subnormals, infinities and the payload of a NaN
 * included, comes back from f16 -> f32 -> f16 (or bf16) as it was. Values are little-endian, in files by definition
 * and in typed arrays because every processor that TensorFlow.js runs on is.
 */
import {FileError} from '../errors.js'

export type SafetensorsDtype =
  | 'BF16'
  | 'BOOL'
  | 'C64'
  | 'F16'
  | 'F32'
  | 'F64'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'F8_E8M0'
  | 'I16'
  | 'I32'
  | 'I64'
  | 'I8'
  | 'U16'
  | 'U32'
  | 'U64'
  | 'U8'

export const bytesPerElement: Readonly<Record<SafetensorsDtype, number>> = {
  BF16: 2,
  BOOL: 1,
  C64: 8,
  F16: 2,
  F32: 4,
  F64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I16: 2,
  I32: 4,
  I64: 8,
  I8: 1,
  U16: 2,
  U32: 4,
  U64: 8,
  U8: 1,
}

export function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(bytesPerElement, value)
}

/** The formats that `toFloat32` reads. */
export type FloatDtype = 'BF16' | 'F16' | 'F32' | 'F64'

export function isFloatDtype(dtype: SafetensorsDtype): dtype is FloatDtype {
  return dtype === 'F32' || dtype === 'BF16' || dtype === 'F16' || dtype === 'F64'
}

/** F32 bytes that lie aligned are viewed, not copied: the result then shares memory with `bytes`. */
export function toFloat32(bytes: Uint8Array, dtype: SafetensorsDtype): Float32Array {
  if (!isFloatDtype(dtype)) {
    throw new FileError(`Cannot read ${dtype} as floating-point values: only F64, F32, F16 and BF16 are`)
  }

  const width = bytesPerElement[dtype]
  if (bytes.length % width !== 0) {
    throw new FileError(`Cannot read ${bytes.length} bytes as ${dtype}: expected a multiple of ${width}`)
  }

  const {buffer, byteOffset} = aligned(bytes, width)
  const count = bytes.length / width
  if (dtype === 'F32') return new Float32Array(buffer, byteOffset, count)
  // A conversion between typed arrays rounds each value to the nearest f32, ties to even.
  if (dtype === 'F64') return new Float32Array(new Float64Array(buffer, byteOffset, count))
  const source = new Uint16Array(buffer, byteOffset, count)
  return dtype === 'BF16' ? widenBfloat16(source) : widenFloat16(source)
}

/** Rounds to nearest, ties to even. F32 is a view of `values`, not a copy. */
export function fromFloat32(values: Float32Array, dtype: 'BF16' | 'F16' | 'F32'): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const narrow = dtype === 'BF16' ? narrowToBfloat16(bits) : narrowToFloat16(bits)
  return new Uint8Array(narrow.buffer)
}

/** A view whose start a typed array of this element width accepts; a copy where it must be. */
function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)
}

function widenBfloat16(source: Uint16Array): Float32Array {
  const bits = new Uint32Array(source.length)
  for (let i = 0; i < source.length; i += 1) bits[i] = source[i] << 16
  return new Float32Array(bits.buffer)
}

function widenFloat16(source: Uint16Array): Float32Array {
  const table = float16Table()
  const bits = new Uint32Array(source.length)
  for (let i = 0; i < source.length; i += 1) bits[i] = table[source[i]]
  return new Float32Array(bits.buffer)
}

let cachedTable: Uint32Array | undefined

/** The f32 bits of each of the 65,536 f16 values, made on first use (256 KiB). */
function float16Table(): Uint32Array {
  if (cachedTable !== undefined) return cachedTable
  const table = new Uint32Array(65_536)
  for (let half = 0; half < table.length; half += 1) {
    const sign = (half & 0x8000) << 16
    const exponent = (half >>> 10) & 0x1f
    const mantissa = half & 0x3ff
    if (exponent === 0x1f) {
      table[half] = sign | 0x7f800000 | (mantissa << 13)
    } else if (exponent > 0 || mantissa === 0) {
      // 112 = 127 - 15, the difference of the exponents' biases.
      table[half] = exponent === 0 ? sign : sign | ((exponent + 112) << 23) | (mantissa << 13)
    } else {
      // Subnormal in f16, normal in f32: move the leading one to where f32 leaves it out.
      const shift = Math.clz32(mantissa) - 21
      table[half] = sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)
    }
  }

  cachedTable = table
  return table
}

function narrowToBfloat16(source: Uint32Array): Uint16Array {
  const result = new Uint16Array(source.length)
  for (let i = 0; i < source.length; i += 1) {
    const bits = source[i]
    if ((bits & 0x7fffffff) > 0x7f800000) {
      // Rounding could carry a NaN into infinity, and cutting could leave none of its payload.
      result[i] = (bits >>> 16) | ((bits & 0x7f0000) === 0 ? 0x40 : 0)
    } else {
      result[i] = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
    }
  }

  return result
}

function narrowToFloat16(source: Uint32Array): Uint16Array {
  const result = new Uint16Array(source.length)
  for (let i = 0; i < source.length; i += 1) {
    const bits = source[i]
    const magnitude = bits & 0x7fffffff
    let half = 0
    if (magnitude >= 0x7f800000) {
      const payload = (magnitude & 0x7fffff) >>> 13
      half = 0x7c00 | (magnitude > 0x7f800000 && payload === 0 ? 0x200 : payload)
    } else if (magnitude >= 0x477ff000) {
      // 65520 and above: half-way between the largest f16, 65504, and what would come next.
      half = 0x7c00
    } else if (magnitude >= 0x38800000) {
      // 2^-14 and above: normal. Rounding may carry into the exponent, which is right.
      half = (magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13
    } else if (magnitude > 0x33000000) {
      // Above 2^-25, half of the smallest subnormal: count multiples of 2^-24.
      const shift = 126 - (magnitude >>> 23)
      const mantissa = (magnitude & 0x7fffff) | 0x800000
      const rest = mantissa & ((1 << shift) - 1)
      const middle = 1 << (shift - 1)
      half = mantissa >>> shift
      if (rest > middle || (rest === middle && (half & 1) === 1)) half += 1
    }

    result[i] = ((bits >>> 16) & 0x8000) | half
  }

  return result
}

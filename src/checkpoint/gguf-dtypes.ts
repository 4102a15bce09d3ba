/**
 * The number formats of GGUF that we write, from f32. q8_0 takes 32 values of a row at a time as one scale and 32 whole
 * numbers:
 *
 *   d = max |x| / 127,  q = round(x / d),  stored as f16(d), int8 q₀ … q₃₁
 *
 * Formats and their numbers: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Halves are rounded away from zero, as ggml
 * does it, and q is computed with d before its own rounding.
 */
import {fromFloat32} from './dtypes.js'

export type GgufDtype = 'bf16' | 'f16' | 'f32' | 'q8_0'

/** By what number a file names the format of a tensor */
export const dtypeNumbers: Readonly<Record<GgufDtype, number>> = {bf16: 30, f16: 1, f32: 0, q8_0: 8}

/** Values of a block of q8_0; a row must hold whole blocks. */
export const BLOCK_VALUES = 32

/** f16 scale and one byte for each value */
const BLOCK_BYTES = 2 + BLOCK_VALUES

export function ggufByteLength(count: number, dtype: GgufDtype): number {
  return dtype === 'q8_0' ? (count / BLOCK_VALUES) * BLOCK_BYTES : count * (dtype === 'f32' ? 4 : 2)
}

/** Of q8_0 the values must be whole blocks. */
export function toGgufBytes(values: Float32Array, dtype: GgufDtype): Uint8Array {
  if (dtype === 'q8_0') return toBlocks(values)
  return fromFloat32(values, dtype === 'bf16' ? 'BF16' : dtype === 'f16' ? 'F16' : 'F32')
}

function toBlocks(values: Float32Array): Uint8Array {
  const blocks = values.length / BLOCK_VALUES
  const scales = new Float32Array(blocks)
  const result = new Uint8Array(blocks * BLOCK_BYTES)
  for (let block = 0; block < blocks; block++) {
    const own = values.subarray(block * BLOCK_VALUES, (block + 1) * BLOCK_VALUES)
    let largest = 0
    for (const value of own) largest = Math.max(largest, Math.abs(value))
    scales[block] = largest / 127
    const inverse = largest === 0 ? 0 : 1 / scales[block]
    const at = block * BLOCK_BYTES + 2
    for (let index = 0; index < BLOCK_VALUES; index++) {
      const whole = own[index] * inverse
      result[at + index] = Math.sign(whole) * Math.floor(Math.abs(whole) + 0.5)
    }
  }
  const halves = fromFloat32(scales, 'F16')
  for (let block = 0; block < blocks; block++) {
    result.set(halves.subarray(2 * block, 2 * block + 2), block * BLOCK_BYTES)
  }
  return result
}

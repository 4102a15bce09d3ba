/**
 * The depthwise causal convolution with SiLU on the processor: the loop behind src/ops/causal-conv (contract there).
 * One work item is one row b and one group of channels; four channels share a vector. Where rows hold several sequences,
 * `positions` says how many steps ago each began, and what is further back comes from the window.
 */
import {gather4, load4, scatter4, sigmoid4, siluSlope, store4, TABLE, writeTable} from './simd'

/** Bytes of scratch that one thread needs: constants, K filter taps, K gradient taps, and L gradients before the SiLU. */
export function causalConvScratch(length: i32, width: i32): i32 {
  return TABLE + 16 * (2 * width + length)
}

/** Steps since the sequence of step t began: t where a row is one sequence. */
// @ts-ignore: decorator
@inline
function ageAt(positions: usize, sequence: i32, t: i32, length: i32): i32 {
  return positions ? load<i32>(positions + <usize>((sequence * length + t) * 4)) : t
}

/** x `back` steps before t. Before the sequence began it comes from the window (zero where none is given). */
// @ts-ignore: decorator
@inline
// prettier-ignore
function inputAt(x: usize, window: usize, sequence: i32, t: i32, back: i32, age: i32, e: i32, length: i32, channels: i32, width: i32, lanes: i32): v128 {
  if (back <= age) return load4(x + <usize>((sequence * length + t - back) * channels + e) * 4, lanes)
  if (!window) return f32x4.splat(0.0)
  return load4(window + <usize>((sequence * (width - 1) + age - back + width - 1) * channels + e) * 4, lanes)
}

// prettier-ignore
export function causalConvForward(
  x: usize, weight: usize, bias: usize, window: usize, positions: usize, y: usize, last: usize,
  length: i32, channels: i32, width: i32, group: i32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const groups = (channels + group - 1) / group
  const sequence = item / groups
  const first = (item % groups) * group
  const end = min(first + group, channels)
  const table = scratch + <usize>(thread * scratchStride)
  const taps = table + TABLE
  writeTable(table)
  for (let e = first; e < end; e += 4) {
    const lanes = min(4, end - e)
    for (let k = 0; k < width; k++) v128.store(taps + <usize>(k * 16), gather4(weight + <usize>((e * width + k) * 4), width * 4, lanes))
    const offset = bias ? load4(bias + <usize>(e * 4), lanes) : f32x4.splat(0.0)
    for (let t = 0; t < length; t++) {
      const age = ageAt(positions, sequence, t, length)
      let sum = offset
      for (let k = 0; k < width; k++) {
        const input = inputAt(x, window, sequence, t, width - 1 - k, age, e, length, channels, width, lanes)
        sum = f32x4.add(sum, f32x4.mul(v128.load(taps + <usize>(k * 16)), input))
      }
      store4(y + <usize>((sequence * length + t) * channels + e) * 4, f32x4.mul(sum, sigmoid4(sum, table)), lanes)
    }
    const age = ageAt(positions, sequence, length - 1, length) + 1
    for (let k = 0; k < width - 1; k++) {
      const input = inputAt(x, window, sequence, length, width - 1 - k, age, e, length, channels, width, lanes)
      store4(last + <usize>((sequence * (width - 1) + k) * channels + e) * 4, input, lanes)
    }
  }
}

// prettier-ignore
export function causalConvBackward(
  x: usize, weight: usize, bias: usize, window: usize, positions: usize, dy: usize, dLast: usize,
  dX: usize, dWeight: usize, dBias: usize, dWindow: usize,
  length: i32, channels: i32, width: i32, group: i32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const groups = (channels + group - 1) / group
  const sequence = item / groups
  const first = (item % groups) * group
  const end = min(first + group, channels)
  const table = scratch + <usize>(thread * scratchStride)
  const taps = table + TABLE
  writeTable(table)
  const dTaps = taps + <usize>(width * 16)
  const dSums = dTaps + <usize>(width * 16)
  for (let e = first; e < end; e += 4) {
    const lanes = min(4, end - e)
    for (let k = 0; k < width; k++) v128.store(taps + <usize>(k * 16), gather4(weight + <usize>((e * width + k) * 4), width * 4, lanes))
    memory.fill(dTaps, 0, width * 16)
    const offset = bias ? load4(bias + <usize>(e * 4), lanes) : f32x4.splat(0.0)
    let dOffset = f32x4.splat(0.0)
    for (let t = 0; t < length; t++) {
      const age = ageAt(positions, sequence, t, length)
      let sum = offset
      for (let k = 0; k < width; k++) {
        const input = inputAt(x, window, sequence, t, width - 1 - k, age, e, length, channels, width, lanes)
        sum = f32x4.add(sum, f32x4.mul(v128.load(taps + <usize>(k * 16)), input))
      }
      const open = sigmoid4(sum, table)
      const slope = siluSlope(sum, open, table)
      const dSum = f32x4.mul(load4(dy + <usize>((sequence * length + t) * channels + e) * 4, lanes), slope)
      v128.store(dSums + <usize>(t * 16), dSum)
      dOffset = f32x4.add(dOffset, dSum)
      for (let k = 0; k < width; k++) {
        const input = inputAt(x, window, sequence, t, width - 1 - k, age, e, length, channels, width, lanes)
        const at = dTaps + <usize>(k * 16)
        v128.store(at, f32x4.add(v128.load(at), f32x4.mul(dSum, input)))
      }
    }
    // The last K−1 inputs, from the window on where the sequence is shorter, are also the op's second output.
    const ageAtEnd = ageAt(positions, sequence, length - 1, length) + 1
    for (let t = 0; t < length; t++) {
      let dInput = f32x4.splat(0.0)
      for (let k = 0; k < width; k++) {
        const back = width - 1 - k
        const output = t + back
        if (output < length && back <= ageAt(positions, sequence, output, length)) {
          dInput = f32x4.add(dInput, f32x4.mul(v128.load(taps + <usize>(k * 16)), v128.load(dSums + <usize>(output * 16))))
        }
      }
      const slot = t - length + width - 1
      if (dLast && slot >= 0 && length - t <= ageAtEnd) {
        dInput = f32x4.add(dInput, load4(dLast + <usize>((sequence * (width - 1) + slot) * channels + e) * 4, lanes))
      }
      store4(dX + <usize>((sequence * length + t) * channels + e) * 4, dInput, lanes)
    }
    for (let slot = 0; slot < width - 1; slot++) {
      let dInput = f32x4.splat(0.0)
      for (let t = (positions ? length : min(slot + 1, length)) - 1; t >= 0; t--) {
        const k = slot - ageAt(positions, sequence, t, length)
        if (k >= 0) dInput = f32x4.add(dInput, f32x4.mul(v128.load(taps + <usize>(k * 16)), v128.load(dSums + <usize>(t * 16))))
      }
      const later = slot - ageAtEnd
      if (dLast && later >= 0) dInput = f32x4.add(dInput, load4(dLast + <usize>((sequence * (width - 1) + later) * channels + e) * 4, lanes))
      store4(dWindow + <usize>((sequence * (width - 1) + slot) * channels + e) * 4, dInput, lanes)
    }
    for (let k = 0; k < width; k++) {
      scatter4(dWeight + <usize>(((sequence * channels + e) * width + k) * 4), width * 4, v128.load(dTaps + <usize>(k * 16)), lanes)
    }
    store4(dBias + <usize>((sequence * channels + e) * 4), dOffset, lanes)
  }
}

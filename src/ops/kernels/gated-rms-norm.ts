/**
 * The gated RMSNorm on the processor: the loop behind src/ops/gated-rms-norm (contract there). One work item is one block of
 * rows. With v = x silu(z), r = 1 / √(mean(v²) + ε) and q = dY weight:
 *
 *   dV = r (q − v mean(v q) r²),   dX = dV silu(z),   dZ = dV x silu′(z),   dWeight = Σ over rows of dY v r
 *
 * The gradient of the weight is a sum over rows: each block writes its own partial sum.
 */
import {load4, sigmoid4, siluSlope, store4, sum4, TABLE, writeTable} from './simd'

/** Bytes of scratch that one thread needs: constants, and v and σ(z) of a row. */
export function gatedRmsNormScratch(columns: i32): i32 {
  return TABLE + 8 * ((columns + 3) & ~3)
}

/** Writes v = x silu(z) of one row, and σ(z); returns 1 / √(mean(v²) + ε). */
function gateRow(x: usize, z: usize, v: usize, open: usize, columns: i32, epsilon: f32, table: usize): f32 {
  let squares = f32x4.splat(0.0)
  for (let i = 0; i < columns; i += 4) {
    const lanes = min(4, columns - i)
    const at = <usize>(i * 4)
    const gate = load4(z + at, lanes)
    const opened = sigmoid4(gate, table)
    const value = f32x4.mul(load4(x + at, lanes), f32x4.mul(gate, opened))
    v128.store(open + at, opened)
    v128.store(v + at, value)
    squares = f32x4.add(squares, f32x4.mul(value, value))
  }
  return 1.0 / Mathf.sqrt(sum4(squares) / <f32>columns + epsilon)
}

// prettier-ignore
export function gatedRmsNormForward(
  x: usize, z: usize, weight: usize, y: usize, rows: i32, columns: i32, epsilon: f32, block: i32,
  scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const table = scratch + <usize>(thread * scratchStride)
  const v = table + TABLE
  const open = v + <usize>(((columns + 3) & ~3) * 4)
  writeTable(table)
  const end = min(rows, (item + 1) * block)
  for (let row = item * block; row < end; row++) {
    const start = <usize>row * <usize>(columns * 4)
    const scale = f32x4.splat(gateRow(x + start, z + start, v, open, columns, epsilon, table))
    for (let i = 0; i < columns; i += 4) {
      const lanes = min(4, columns - i)
      const at = <usize>(i * 4)
      store4(y + start + at, f32x4.mul(f32x4.mul(v128.load(v + at), scale), load4(weight + at, lanes)), lanes)
    }
  }
}

// prettier-ignore
export function gatedRmsNormBackward(
  x: usize, z: usize, weight: usize, dy: usize, dX: usize, dZ: usize, dWeight: usize,
  rows: i32, columns: i32, epsilon: f32, block: i32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const table = scratch + <usize>(thread * scratchStride)
  const v = table + TABLE
  const open = v + <usize>(((columns + 3) & ~3) * 4)
  writeTable(table)
  const end = min(rows, (item + 1) * block)
  const partial = dWeight + <usize>(item * columns * 4)
  memory.fill(partial, 0, columns * 4)
  for (let row = item * block; row < end; row++) {
    const start = <usize>row * <usize>(columns * 4)
    const inverse = gateRow(x + start, z + start, v, open, columns, epsilon, table)
    const scale = f32x4.splat(inverse)
    let dots = f32x4.splat(0.0)
    for (let i = 0; i < columns; i += 4) {
      const lanes = min(4, columns - i)
      const at = <usize>(i * 4)
      const value = v128.load(v + at)
      const dOut = load4(dy + start + at, lanes)
      dots = f32x4.add(dots, f32x4.mul(value, f32x4.mul(dOut, load4(weight + at, lanes))))
      store4(partial + at, f32x4.add(load4(partial + at, lanes), f32x4.mul(dOut, f32x4.mul(value, scale))), lanes)
    }
    const mean = f32x4.splat((sum4(dots) / <f32>columns) * inverse * inverse)
    for (let i = 0; i < columns; i += 4) {
      const lanes = min(4, columns - i)
      const at = <usize>(i * 4)
      const direct = f32x4.mul(load4(dy + start + at, lanes), load4(weight + at, lanes))
      const dValue = f32x4.mul(scale, f32x4.sub(direct, f32x4.mul(v128.load(v + at), mean)))
      const gate = load4(z + start + at, lanes)
      const opened = v128.load(open + at)
      store4(dX + start + at, f32x4.mul(dValue, f32x4.mul(gate, opened)), lanes)
      store4(dZ + start + at, f32x4.mul(f32x4.mul(dValue, load4(x + start + at, lanes)), siluSlope(gate, opened, table)), lanes)
    }
  }
}

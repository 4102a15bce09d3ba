/**
 * RMSNorm on the processor: the loop behind src/ops/rms-norm (contract there). One work item is one block of rows.
 * The gradient of the weight is a sum over rows: each block writes its own partial sum. Without a weight (pointer 0) it is
 * that of a weight of ones.
 */
import {load4, store4, sum4} from './simd'

/** 1 / √(mean(x²) + ε) of one row. */
function inverseNorm(x: usize, columns: i32, epsilon: f32): f32 {
  let squares = f32x4.splat(0.0)
  for (let i = 0; i < columns; i += 4) {
    const v = load4(x + <usize>(i * 4), min(4, columns - i))
    squares = f32x4.add(squares, f32x4.mul(v, v))
  }
  return 1.0 / Mathf.sqrt(sum4(squares) / <f32>columns + epsilon)
}

/** Up to four neighbouring weights. */
// @ts-ignore: decorator
@inline
function weightAt(weight: usize, column: i32, lanes: i32): v128 {
  return weight ? load4(weight + <usize>(column * 4), lanes) : f32x4.splat(1.0)
}

// prettier-ignore
export function rmsNormForward(
  x: usize, weight: usize, y: usize, rows: i32, columns: i32, epsilon: f32, block: i32, item: i32, thread: i32,
): void {
  const end = min(rows, (item + 1) * block)
  for (let row = item * block; row < end; row++) {
    const at = <usize>(row * columns * 4)
    const scale = f32x4.splat(inverseNorm(x + at, columns, epsilon))
    for (let i = 0; i < columns; i += 4) {
      const lanes = min(4, columns - i)
      const here = at + <usize>(i * 4)
      store4(y + here, f32x4.mul(f32x4.mul(load4(x + here, lanes), scale), weightAt(weight, i, lanes)), lanes)
    }
  }
}

// prettier-ignore
export function rmsNormBackward(
  x: usize, weight: usize, dy: usize, dX: usize, dWeight: usize,
  rows: i32, columns: i32, epsilon: f32, block: i32, item: i32, thread: i32,
): void {
  const end = min(rows, (item + 1) * block)
  const partial = dWeight + <usize>(item * columns * 4)
  memory.fill(partial, 0, columns * 4)
  for (let row = item * block; row < end; row++) {
    const at = <usize>(row * columns * 4)
    const inverse = inverseNorm(x + at, columns, epsilon)
    const scale = f32x4.splat(inverse)
    let dots = f32x4.splat(0.0)
    for (let i = 0; i < columns; i += 4) {
      const lanes = min(4, columns - i)
      const column = <usize>(i * 4)
      const input = load4(x + at + column, lanes)
      const dOut = load4(dy + at + column, lanes)
      dots = f32x4.add(dots, f32x4.mul(input, f32x4.mul(dOut, weightAt(weight, i, lanes))))
      store4(partial + column, f32x4.add(load4(partial + column, lanes), f32x4.mul(dOut, f32x4.mul(input, scale))), lanes)
    }
    const mean = f32x4.splat((sum4(dots) / <f32>columns) * inverse * inverse)
    for (let i = 0; i < columns; i += 4) {
      const lanes = min(4, columns - i)
      const column = <usize>(i * 4)
      const direct = f32x4.mul(load4(dy + at + column, lanes), weightAt(weight, i, lanes))
      const dInput = f32x4.mul(scale, f32x4.sub(direct, f32x4.mul(load4(x + at + column, lanes), mean)))
      store4(dX + at + column, dInput, lanes)
    }
  }
}

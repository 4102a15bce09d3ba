/**
 * Softmax cross-entropy of rows of logits on the processor: the loop behind src/ops/linear-cross-entropy (contract there).
 * One work item is one row.
 */
import {exp4, load4, store4, sum4, TABLE, writeTable} from './simd'

/** Bytes of scratch that one thread needs. */
export function crossEntropyScratch(): i32 {
  return TABLE
}

function rowMaximum(logits: usize, columns: i32): f32 {
  let maximum = load<f32>(logits)
  for (let i = 1; i < columns; i++) maximum = max(maximum, load<f32>(logits + <usize>(i * 4)))
  return maximum
}

/** Σ e^(x − maximum). Lanes beyond the row would add e^(0 − maximum), so the tail is summed alone. */
function sumOfExponentials(logits: usize, columns: i32, maximum: f32, table: usize): f32 {
  const shift = f32x4.splat(maximum)
  let sums = f32x4.splat(0.0)
  const whole = columns & ~3
  for (let i = 0; i < whole; i += 4)
    sums = f32x4.add(sums, exp4(f32x4.sub(v128.load(logits + <usize>(i * 4)), shift), table))
  let total = sum4(sums)
  for (let i = whole; i < columns; i++) {
    total += f32x4.extract_lane(exp4(f32x4.splat(load<f32>(logits + <usize>(i * 4)) - maximum), table), 0)
  }
  return total
}

/** Per row Σ e^(x − maximum) and maximum − x[label]; the loss is the logarithm of the first plus the second. */
// prettier-ignore
export function crossEntropyForward(
  logits: usize, labels: usize, parts: usize, columns: i32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const table = scratch + <usize>(thread * scratchStride)
  writeTable(table)
  const row = logits + <usize>(item * columns * 4)
  const maximum = rowMaximum(row, columns)
  const label = load<i32>(labels + <usize>(item * 4))
  store<f32>(parts + <usize>(item * 8), sumOfExponentials(row, columns, maximum, table))
  store<f32>(parts + <usize>(item * 8 + 4), maximum - load<f32>(row + <usize>(label * 4)))
}

/** dLogits = scale · (softmax(logits) − onehot(label)). */
// prettier-ignore
export function crossEntropyBackward(
  logits: usize, labels: usize, dLogits: usize, columns: i32, scale: f32, scratch: usize, scratchStride: i32, item: i32, thread: i32,
): void {
  const table = scratch + <usize>(thread * scratchStride)
  writeTable(table)
  const row = logits + <usize>(item * columns * 4)
  const target = dLogits + <usize>(item * columns * 4)
  const maximum = rowMaximum(row, columns)
  const shift = f32x4.splat(maximum)
  const factor = f32x4.splat(scale / sumOfExponentials(row, columns, maximum, table))
  for (let i = 0; i < columns; i += 4) {
    const lanes = min(4, columns - i)
    store4(target + <usize>(i * 4), f32x4.mul(exp4(f32x4.sub(load4(row + <usize>(i * 4), lanes), shift), table), factor), lanes)
  }
  const at = target + <usize>(load<i32>(labels + <usize>(item * 4)) * 4)
  store<f32>(at, load<f32>(at) - scale)
}

/**
 * out = aᵀ b for a narrow a (M, R) and a wide b (M, N) on the processor: the gradients of low-rank factors (see
 * src/ops/product.ts). TensorFlow.js would pack the whole of b for every such product, which takes longer than the
 * product. One work item is one block of columns; each sum runs over M in order.
 */
import {load4, store4} from './simd'

// prettier-ignore
export function transposedProduct(
  a: usize, b: usize, out: usize, depth: i32, rank: i32, columns: i32, block: i32, item: i32, thread: i32,
): void {
  const end = min(columns, (item + 1) * block)
  for (let column = item * block; column < end; column += 4) {
    const lanes = min(4, end - column)
    let r = 0
    for (; r + 8 <= rank; r += 8) eightRows(a, b, out, depth, rank, columns, column, lanes, r)
    for (; r < rank; r++) oneRow(a, b, out, depth, rank, columns, column, lanes, r)
  }
}

// prettier-ignore
function oneRow(a: usize, b: usize, out: usize, depth: i32, rank: i32, columns: i32, column: i32, lanes: i32, r: i32): void {
  let sum = f32x4.splat(0.0)
  for (let m = 0; m < depth; m++) {
    const value = load4(b + <usize>(m * columns + column) * 4, lanes)
    sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(a + <usize>(m * rank + r) * 4), value))
  }
  store4(out + <usize>(r * columns + column) * 4, sum, lanes)
}

// prettier-ignore
function eightRows(a: usize, b: usize, out: usize, depth: i32, rank: i32, columns: i32, column: i32, lanes: i32, r: i32): void {
  let s0 = f32x4.splat(0.0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let s4 = s0
  let s5 = s0
  let s6 = s0
  let s7 = s0
  let at = a + <usize>(r * 4)
  let from = b + <usize>(column * 4)
  for (let m = 0; m < depth; m++) {
    const value = load4(from, lanes)
    s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(at), value))
    s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(at, 4), value))
    s2 = f32x4.add(s2, f32x4.mul(v128.load32_splat(at, 8), value))
    s3 = f32x4.add(s3, f32x4.mul(v128.load32_splat(at, 12), value))
    s4 = f32x4.add(s4, f32x4.mul(v128.load32_splat(at, 16), value))
    s5 = f32x4.add(s5, f32x4.mul(v128.load32_splat(at, 20), value))
    s6 = f32x4.add(s6, f32x4.mul(v128.load32_splat(at, 24), value))
    s7 = f32x4.add(s7, f32x4.mul(v128.load32_splat(at, 28), value))
    at += <usize>(rank * 4)
    from += <usize>(columns * 4)
  }
  const row = <usize>(columns * 4)
  let to = out + <usize>(r * columns + column) * 4
  store4(to, s0, lanes)
  store4((to += row), s1, lanes)
  store4((to += row), s2, lanes)
  store4((to += row), s3, lanes)
  store4((to += row), s4, lanes)
  store4((to += row), s5, lanes)
  store4((to += row), s6, lanes)
  store4((to += row), s7, lanes)
}

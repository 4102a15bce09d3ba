/**
 * Four-lane f32 mathematics for the WebAssembly kernels (AssemblyScript, compiled by scripts/build-kernels.mjs).
 *
 *   2^x = 2^n · 2^f,  n = round(x),  f = x − n,  2^f by a polynomial of degree 6 fitted on −½ … ½ (error 1e-8)
 *   log1p(t) = 2 artanh(t / (2 + t)), by its series, for 0 ≤ t ≤ 1
 *
 * NaN goes in, NaN comes out: the clamps are of the form that keeps it (pmin, pmax), which is also the quick one on x86.
 * Constants are read from a table that each work item writes into its scratch memory: V8 builds a vector constant from
 * five instructions each time that it is used, which made these loops two to three times slower.
 */

/** Bytes of the table. */
export const TABLE: i32 = 20 * 16

/** Writes the table of constants that the functions below read. */
export function writeTable(at: usize): void {
  put(at, 0, 12583039.0) // 1.5 · 2^23 + 127: adding it rounds to the nearest integer n and leaves n + 127 in the low bits
  put(at, 1, -126.0)
  put(at, 2, 127.0)
  put(at, 3, 1.0)
  put(at, 4, 0.6931471880262285)
  put(at, 5, 0.24022650760567846)
  put(at, 6, 0.05550357114219147)
  put(at, 7, 0.009618082557302569)
  put(at, 8, 0.001339086336462805)
  put(at, 9, 0.00015453162939509034)
  put(at, 10, 1.44269504088896341) // 1 / ln 2
  put(at, 11, 2.0)
  put(at, 19, 0.69314718055994531) // ln 2
  for (let i = 1; i < 8; i++) {
    const odd: i32 = 2 * i + 1
    put(at, 11 + i, 1.0 / <f32>odd) // 1/3, 1/5 … 1/15
  }
}

// @ts-ignore: decorator
@inline
function put(at: usize, index: i32, value: f32): void {
  v128.store(at + <usize>(index * 16), f32x4.splat(value))
}

// @ts-ignore: decorator
@inline
function constant(table: usize, index: i32): v128 {
  return v128.load(table + <usize>(index * 16))
}

/** 1 / ln 2 in every lane: e^x is exp2(x · perLn2). */
// @ts-ignore: decorator
@inline
export function perLn2(table: usize): v128 {
  return constant(table, 10)
}

/** ln 2 in every lane. */
// @ts-ignore: decorator
@inline
export function ln2(table: usize): v128 {
  return constant(table, 19)
}

/** 2^x, from 2^−126 to 2^127. */
// @ts-ignore: decorator
@inline
export function exp2(x: v128, table: usize): v128 {
  const magic = constant(table, 0)
  const bounded = f32x4.pmax(f32x4.pmin(x, constant(table, 2)), constant(table, 1))
  const shifted = f32x4.add(bounded, magic)
  const f = f32x4.sub(bounded, f32x4.sub(shifted, magic))
  let p = f32x4.add(f32x4.mul(f, constant(table, 9)), constant(table, 8))
  p = f32x4.add(f32x4.mul(f, p), constant(table, 7))
  p = f32x4.add(f32x4.mul(f, p), constant(table, 6))
  p = f32x4.add(f32x4.mul(f, p), constant(table, 5))
  p = f32x4.add(f32x4.mul(f, p), constant(table, 4))
  p = f32x4.add(f32x4.mul(f, p), constant(table, 3))
  // 2^n as a float is n + 127 in the exponent's bits. Adding n to the bits of p instead would turn some NaNs into numbers.
  return f32x4.mul(p, i32x4.shl(shifted, 23))
}

/** e^x. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128, table: usize): v128 {
  return exp2(f32x4.mul(x, perLn2(table)), table)
}

/** 1 / (1 + e^−x). */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128, table: usize): v128 {
  const one = constant(table, 3)
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x), table)))
}

/** The slope of silu(x) = x σ(x), given σ(x):  σ (1 + x (1 − σ)). */
// @ts-ignore: decorator
@inline
export function siluSlope(x: v128, open: v128, table: usize): v128 {
  const one = constant(table, 3)
  return f32x4.mul(open, f32x4.add(one, f32x4.mul(x, f32x4.sub(one, open))))
}

/** max(x, 0) + log1p(e^−|x|): the form that neither overflows nor loses small values. */
// @ts-ignore: decorator
@inline
export function softplus4(x: v128, table: usize): v128 {
  const t = exp4(f32x4.neg(f32x4.abs(x)), table)
  const s = f32x4.div(t, f32x4.add(t, constant(table, 11)))
  const q = f32x4.mul(s, s)
  let p = f32x4.add(f32x4.mul(q, constant(table, 18)), constant(table, 17))
  p = f32x4.add(f32x4.mul(q, p), constant(table, 16))
  p = f32x4.add(f32x4.mul(q, p), constant(table, 15))
  p = f32x4.add(f32x4.mul(q, p), constant(table, 14))
  p = f32x4.add(f32x4.mul(q, p), constant(table, 13))
  p = f32x4.add(f32x4.mul(q, p), constant(table, 12))
  p = f32x4.add(f32x4.mul(q, p), constant(table, 3))
  const log = f32x4.mul(f32x4.add(s, s), p)
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0.0)), log)
}

/** Up to four neighbouring floats; absent lanes are zero, and nothing beyond the last is read. */
// @ts-ignore: decorator
@inline
export function load4(pointer: usize, lanes: i32): v128 {
  return lanes == 4 ? v128.load(pointer) : loadTail(pointer, lanes)
}

function loadTail(pointer: usize, lanes: i32): v128 {
  let v = f32x4.splat(0.0)
  v = f32x4.replace_lane(v, 0, load<f32>(pointer))
  if (lanes > 1) v = f32x4.replace_lane(v, 1, load<f32>(pointer + 4))
  if (lanes > 2) v = f32x4.replace_lane(v, 2, load<f32>(pointer + 8))
  return v
}

/** Up to four neighbouring floats; absent lanes are not written. */
// @ts-ignore: decorator
@inline
export function store4(pointer: usize, v: v128, lanes: i32): void {
  if (lanes == 4) v128.store(pointer, v)
  else storeTail(pointer, v, lanes)
}

function storeTail(pointer: usize, v: v128, lanes: i32): void {
  store<f32>(pointer, f32x4.extract_lane(v, 0))
  if (lanes > 1) store<f32>(pointer + 4, f32x4.extract_lane(v, 1))
  if (lanes > 2) store<f32>(pointer + 8, f32x4.extract_lane(v, 2))
}

/** Element `column` of up to four rows that lie `stride` bytes apart; absent lanes are zero. */
export function gather4(pointer: usize, stride: usize, lanes: i32): v128 {
  let v = f32x4.splat(load<f32>(pointer))
  v = f32x4.replace_lane(v, 1, lanes > 1 ? load<f32>(pointer + stride) : 0)
  v = f32x4.replace_lane(v, 2, lanes > 2 ? load<f32>(pointer + 2 * stride) : 0)
  return f32x4.replace_lane(v, 3, lanes > 3 ? load<f32>(pointer + 3 * stride) : 0)
}

/** The reverse of gather4. */
export function scatter4(pointer: usize, stride: usize, v: v128, lanes: i32): void {
  store<f32>(pointer, f32x4.extract_lane(v, 0))
  if (lanes > 1) store<f32>(pointer + stride, f32x4.extract_lane(v, 1))
  if (lanes > 2) store<f32>(pointer + 2 * stride, f32x4.extract_lane(v, 2))
  if (lanes > 3) store<f32>(pointer + 3 * stride, f32x4.extract_lane(v, 3))
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sum4(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
}

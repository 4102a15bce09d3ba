/** The mathematics of simd.ts over whole arrays, exported so that a test can measure its error. */
import {exp4, softplus4, TABLE, writeTable} from './simd'

export function mathematicsScratch(): i32 {
  return TABLE
}

// prettier-ignore
export function exponentials(x: usize, y: usize, count: i32, scratch: usize, stride: i32, item: i32, thread: i32): void {
  writeTable(scratch)
  for (let i = 0; i < count; i += 4) v128.store(y + <usize>(i * 4), exp4(v128.load(x + <usize>(i * 4)), scratch))
}

// prettier-ignore
export function softpluses(x: usize, y: usize, count: i32, scratch: usize, stride: i32, item: i32, thread: i32): void {
  writeTable(scratch)
  for (let i = 0; i < count; i += 4) v128.store(y + <usize>(i * 4), softplus4(v128.load(x + <usize>(i * 4)), scratch))
}

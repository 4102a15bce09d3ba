/** Time per kernel of a profiled step, with its share. */
import {type KernelTime} from '../backend/gpu/profiler.js'

export interface KernelWork {
  readonly kernel: string
  readonly calls: number
  readonly ms: number
  /** Of the time of all kernels */
  readonly share: number
  /** Achieved, where the kernel says what it does */
  readonly tflops: number | null
  readonly gb_per_second: number | null
}

/** Most expensive first. */
export function workOf(times: readonly KernelTime[]): KernelWork[] {
  const total = times.reduce((sum, {ms}) => sum + ms, 0)
  return times.map(({bytes, calls, ms, name, operations}) => ({
    calls,
    gb_per_second: bytes > 0 && ms > 0 ? bytes / ms / 1e6 : null,
    kernel: name,
    ms,
    share: ms / total,
    tflops: operations > 0 && ms > 0 ? operations / ms / 1e9 : null,
  }))
}

/** What the backend knows of one tensor's data: where its numbers are, in which format, and how its rows lie. */
import type * as tf from '@tensorflow/tfjs-core'
import {type Allocation} from './buffer-pool.js'
import {type Format, type Grid} from './shader.js'
import {type Rows, type RowWindow} from './launch.js'

export interface Stored {
  readonly dtype: tf.DataType
  /** Numbers */
  readonly size: number
  references: number
  /** Values that have not been uploaded, or that stay readable at once (whole numbers) */
  host: Float32Array | Int32Array | null
  place: Place | null
  /** For a tensor that may be given up, or is yet to be computed: how that is done, and in which format */
  remade: {readonly make: () => tf.TensorInfo; readonly format: Format} | null
  /** Of a matrix that no binding shows whole: its rows, some in a tensor each */
  windows?: readonly RowWindow[]
}

/** Where numbers are on the GPU. */
export interface Place {
  readonly allocation: Allocation
  /** Bytes from the buffer's start */
  readonly at: number
  readonly format: Format
  /** null for rows that lie one after another */
  readonly slice: Slice | null
}

/** Columns of wider rows. */
export interface Slice extends Rows {
  readonly columns: number
}

export const BYTES: Readonly<Record<Format, number>> = {f16: 2, f32: 4, i32: 4}

/** Bytes that shaders may touch: whole groups of four numbers. */
export function bytesOf(size: number, format: Format): number {
  return 16 * Math.ceil(Math.max(1, size * BYTES[format]) / 16)
}

export function formatOfDtype(dtype: tf.DataType): Format {
  return dtype === 'float32' ? 'f32' : 'i32'
}

/** The immediates as bytes: whole numbers, then floats. null for none. */
export function immediatesOf(whole: readonly number[], floats: readonly number[]): ArrayBuffer | null {
  const count = whole.length + floats.length
  if (count === 0) return null
  if (count > 16) throw new Error(`a shader takes 16 parameters at most, not ${count}`)
  const data = new ArrayBuffer(4 * count)
  new Uint32Array(data).set(whole)
  new Float32Array(data, 4 * whole.length).set(floats)
  return data
}

/** Refuses a grid that WebGPU would refuse, by name. */
export function checkGrid(grid: Grid, name: string): void {
  if (grid.some((count) => count > 65_535)) throw new Error(`${name} wants ${grid.join(' × ')} workgroups`)
}

/** Running a shader on tensors: the one door between operations and the GPU. */
import type * as tf from '@tensorflow/tfjs-core'
import {type GpuMemory} from './buffer-pool.js'
import {type DeviceFacts, type Format, type Grid, type Shader} from './shader.js'

/** A tensor that the shader writes completely. */
export interface OutputSpec {
  readonly shape: readonly number[]
  readonly format: Format
  /**
   * Where this is a slice of columns, the output becomes the same slice of a buffer of its own, which it shares with outputs
   * beside other slices of the same rows: `rowsOf` that tensor says where its rows lie. So gradients of slices come
   * together without being moved.
   */
  readonly beside?: tf.TensorInfo
}

/**
 * A tensor whose rows are read with a stride, so that a slice of columns needs no copy. The shader gets `offset` and
 * `stride` (in numbers, multiples of 8 for f16) through its parameters: see `rowsOf`.
 */
export interface StridedInput {
  readonly tensor: tf.TensorInfo
  readonly strided: true
}

export interface ShaderLaunch {
  readonly shader: Shader
  /** In order of their bindings. A tensor that is a slice of columns is copied first unless it is given as strided. */
  readonly inputs: readonly (tf.TensorInfo | StridedInput)[]
  /** Outputs follow the inputs in the bindings. */
  readonly outputs: readonly OutputSpec[]
  /** Tensors that the shader changes in place; their bindings follow the outputs. */
  readonly updates?: readonly tf.TensorInfo[]
  /** The immediates that `parameters` declares: whole numbers, then floats */
  readonly whole?: readonly number[]
  readonly floats?: readonly number[]
  readonly grid: Grid
  /** Sizes, where a profile should tell launches of one shader apart */
  readonly detail?: string
  /** Floating-point operations, for profiles; left out where moving bytes is all that counts */
  readonly operations?: number
}

/** Where row r of a tensor (…, columns) begins in its buffer: offset + r · stride, in numbers. */
export interface Rows {
  readonly offset: number
  readonly stride: number
}

/** Rows of a matrix that is larger than one binding: from this row on, as many as the tensor has. */
export interface RowWindow {
  readonly from: number
  readonly tensor: tf.TensorInfo
}

/** What operations see of the GPU backend. */
export interface ShaderHost {
  readonly facts: DeviceFacts
  /** How operands of products and activations are stored: f16, or f32 for exact comparisons. */
  readonly precision: 'f16' | 'f32'
  launch(launch: ShaderLaunch): tf.TensorInfo[]
  formatOf(tensor: tf.TensorInfo): Format
  rowsOf(tensor: tf.TensorInfo): Rows
  /**
   * Columns [from, from + width) of (…, columns) as a tensor on the same buffer. A slice whose offset or stride is not a
   * multiple of 8 (f16) or 4 (f32) is copied, so that whoever reads strided rows can count on whole groups of numbers.
   */
  columns(tensor: tf.TensorInfo, from: number, width: number): tf.TensorInfo
  /**
   * The windows of rows that a matrix is kept in where a kernel cannot see it whole; null for all other tensors. They live
   * as long as the matrix does.
   */
  windowsOf(tensor: tf.TensorInfo): readonly RowWindow[] | null
  /** The tensor that these slices of columns make up, without a copy; null where they do not. */
  whole(slices: readonly tf.TensorInfo[]): tf.TensorInfo | null
  /** Tensors of zeros that share one buffer, each at a multiple of 256 bytes, and the whole buffer as one f32 vector. */
  allocateTogether(shapes: readonly (readonly number[])[]): {whole: tf.TensorInfo; parts: tf.TensorInfo[]}
  /**
   * Gives up a tensor's memory as soon as the next tensor of this kind is named, until something reads it again: `make`
   * then computes it once more. What `make` needs has to live as long as the tensor.
   */
  remakeLater(kind: string, tensor: tf.TensorInfo, make: () => tf.TensorInfo): void
  /**
   * The two terms of a sum that is not computed yet, for a kernel that can read them in its place; null for other tensors.
   * The caller disposes of them.
   */
  termsOf(tensor: tf.TensorInfo): tf.TensorInfo[] | null
  /** New values for an f32 tensor, in place. */
  overwrite(tensor: tf.TensorInfo, values: Float32Array): void
  /** Bytes on the GPU. */
  gpuMemory(): GpuMemory
}

/** For messages */
export function describeLaunch({grid, inputs, outputs, shader}: ShaderLaunch): string {
  const shapes = inputs.map((input) => `[${('strided' in input ? input.tensor : input).shape.join(', ')}]`)
  const made = outputs.map(({format, shape}) => `[${shape.join(', ')}] ${format}`)
  return `running ${shader.name} on ${shapes.join(', ')} → ${made.join(', ')} in ${grid.join(' × ')} workgroups`
}

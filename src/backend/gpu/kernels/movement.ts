/** TensorFlow.js's kernels that move numbers without changing them. */
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../gpu-backend.js'
import {elementGrid} from './elementwise.wgsl.js'
import {filled, shared} from './elementwise.js'
import {type GpuKernel, stridesOf, toRankFour} from './gpu-kernel.js'
import {move} from './movement.wgsl.js'

interface Block {
  /** Lengths of the block that is moved, four */
  readonly lengths: readonly number[]
  readonly sourceStrides: readonly number[]
  readonly sourceStart?: number
  readonly resultStrides?: readonly number[]
  readonly resultStart?: number
}

/** Moves a block of `source` into `target`, or into a new tensor of `shape`. */
function moved(
  source: tf.TensorInfo,
  target: tf.TensorInfo | readonly number[],
  {lengths, resultStart = 0, resultStrides = stridesOf(lengths), sourceStart = 0, sourceStrides}: Block,
  backend: GpuBackend,
): tf.TensorInfo {
  const from = backend.formatOf(source)
  const to = from === 'i32' ? 'i32' : 'f32'
  const count = lengths.reduce((size, length) => size * length, 1)
  const isNew = Array.isArray(target)
  const [made] = backend.launch({
    grid: elementGrid(count),
    inputs: [source],
    outputs: isNew ? [{format: to, shape: target as number[]}] : [],
    shader: move(from, to),
    updates: isNew ? [] : [target as tf.TensorInfo],
    whole: [count, ...lengths.slice(1), ...sourceStrides, sourceStart, ...resultStrides, resultStart],
  })
  return made ?? (target as tf.TensorInfo)
}

function sliced(
  x: tf.TensorInfo,
  begin: readonly number[],
  size: readonly number[],
  backend: GpuBackend,
): tf.TensorInfo {
  const strides = stridesOf(toRankFour(x.shape))
  const starts = begin.reduce((sum, at, axis) => sum + at * strides[axis + 4 - begin.length], 0)
  return moved(x, [...size], {lengths: toRankFour(size), sourceStart: starts, sourceStrides: strides}, backend)
}

function concatenated(parts: readonly tf.TensorInfo[], axis: number, backend: GpuBackend): tf.TensorInfo {
  const shape = tf.backend_util.computeOutShape(
    parts.map((part) => part.shape),
    axis,
  )
  const result = filled(shape, 0, parts[0].dtype, backend)
  const strides = stridesOf(toRankFour(shape))
  const axisStride = strides[axis + 4 - shape.length]
  let at = 0
  for (const part of parts) {
    const lengths = toRankFour(part.shape)
    const sourceStrides = stridesOf(lengths)
    moved(part, result, {lengths, resultStart: at * axisStride, resultStrides: strides, sourceStrides}, backend)
    at += part.shape[axis]
  }
  return result
}

const kernels: GpuKernel[] = [
  {name: 'Identity', run: ({x}, _attributes, backend) => shared(x, x.shape, backend)},
  {
    name: 'Reshape',
    run({x}, {shape}, backend) {
      const size = tf.util.sizeFromShape(x.shape)
      return reshaped(x, tf.util.inferFromImplicitShape(shape as number[], size), backend)
    },
  },
  {
    name: 'ExpandDims',
    run({input}, {dim}, backend) {
      const shape = [...input.shape]
      const axis = dim as number
      shape.splice(axis < 0 ? shape.length + axis + 1 : axis, 0, 1)
      return reshaped(input, shape, backend)
    },
  },
  {
    name: 'Slice',
    run({x}, {begin, size}, backend) {
      const [starts, lengths] = tf.slice_util.parseSliceParams(
        {shape: x.shape} as tf.Tensor,
        begin as number[],
        size as number[],
      )
      return sliced(x, starts, lengths, backend)
    },
  },
  {
    name: 'SplitV',
    run({x}, {axis, numOrSizeSplits}, backend) {
      const [at] = tf.util.parseAxisParam(axis as number, x.shape)
      const sizes = tf.backend_util.prepareSplitSize({shape: x.shape} as tf.Tensor, numOrSizeSplits as number[], at)
      const begin = x.shape.map(() => 0)
      return sizes.map((length) => {
        const size = x.shape.map((whole, index) => (index === at ? length : whole))
        const part = sliced(x, begin, size, backend)
        begin[at] += length
        return part
      })
    },
  },
  {
    name: 'Concat',
    run(inputs, {axis}, backend) {
      const parts = Object.values(inputs).filter(({shape}) => tf.util.sizeFromShape(shape) > 0)
      const [at] = tf.util.parseAxisParam(axis as number, parts[0].shape)
      return concatenated(parts, at, backend)
    },
  },
  {
    name: 'PadV2',
    run({x}, {constantValue, paddings}, backend) {
      const pads = paddings as [number, number][]
      const shape = x.shape.map((length, axis) => pads[axis][0] + length + pads[axis][1])
      const result = filled(shape, constantValue as number, x.dtype, backend)
      const resultStrides = stridesOf(toRankFour(shape))
      const lengths = toRankFour(x.shape)
      const resultStart = pads.reduce((sum, [before], axis) => sum + before * resultStrides[axis + 4 - shape.length], 0)
      return moved(x, result, {lengths, resultStart, resultStrides, sourceStrides: stridesOf(lengths)}, backend)
    },
  },
  {
    name: 'Transpose',
    run({x}, {perm}, backend) {
      const order = perm as number[]
      const strides = stridesOf(x.shape)
      const shape = order.map((axis) => x.shape[axis])
      const front = Array.from({length: 4 - shape.length}, () => 0)
      const sourceStrides = [...front, ...order.map((axis) => strides[axis])]
      return moved(x, shape, {lengths: toRankFour(shape), sourceStrides}, backend)
    },
  },
  {
    name: 'Tile',
    run({x}, {reps}, backend) {
      const times = reps as number[]
      if (times.slice(1).some((count) => count !== 1)) throw new Error('tensors on the GPU are tiled along axis 0 only')
      const shape = [x.shape[0] * times[0], ...x.shape.slice(1)]
      const block = tf.util.sizeFromShape(x.shape)
      return moved(x, shape, {lengths: [1, 1, times[0], block], sourceStrides: [0, 0, 0, 1]}, backend)
    },
  },
]

export const movementKernels: readonly GpuKernel[] = [...kernels]

/** Another shape of the same numbers. Slices of columns keep their last axis or are copied. */
function reshaped(x: tf.TensorInfo, shape: readonly number[], backend: GpuBackend): tf.TensorInfo {
  if (shape[shape.length - 1] !== x.shape[x.shape.length - 1]) backend.straight(x)
  return shared(x, shape, backend)
}

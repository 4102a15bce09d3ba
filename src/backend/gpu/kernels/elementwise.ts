/** TensorFlow.js's elementwise kernels on the GPU. */
import * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from '../gpu-backend.js'
import {type Add} from '../lazy-sums.js'
import {type Format} from '../shader.js'
import {
  BINARY,
  binaryBroadcast,
  binarySame,
  type BinaryName,
  cast,
  elementGrid,
  fill,
  UNARY,
  unary,
  type UnaryName,
} from './elementwise.wgsl.js'
import {type GpuKernel, stridesOf, toRankFour} from './gpu-kernel.js'

const unaryKernels: GpuKernel[] = (Object.keys(UNARY) as UnaryName[]).map((name) => ({
  name,
  run({x}, _attributes, backend) {
    const format = backend.formatOf(x)
    const count = Math.ceil(tf.util.sizeFromShape(x.shape) / 4)
    return only(
      backend.launch({
        grid: elementGrid(count),
        inputs: [x],
        outputs: [{format, shape: x.shape}],
        shader: unary(name, format, format),
        whole: [count],
      }),
    )
  },
}))

const binaryKernels: GpuKernel[] = (Object.keys(BINARY) as BinaryName[]).map((name) => ({
  name,
  run({a, b}, _attributes, backend) {
    const add: Add = (left, right) => runBinary('Add', left, right, backend)
    return (name === 'Add' && backend.sumLater(a, b, add)) || runBinary(name, a, b, backend)
  },
}))

function runBinary(name: BinaryName, a: tf.TensorInfo, b: tf.TensorInfo, backend: GpuBackend): tf.TensorInfo {
  const [left, right] = [backend.formatOf(a), backend.formatOf(b)]
  if (tf.util.arraysEqual(a.shape, b.shape)) {
    const format: Format = left === 'f16' && right === 'f16' ? 'f16' : 'f32'
    const count = Math.ceil(tf.util.sizeFromShape(a.shape) / 4)
    const shader = binarySame(name, left, right, format)
    return only(
      backend.launch({
        grid: elementGrid(count),
        inputs: [a, b],
        outputs: [{format, shape: a.shape}],
        shader,
        whole: [count],
      }),
    )
  }
  const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape)
  const lengths = toRankFour(shape)
  const count = tf.util.sizeFromShape(shape)
  return only(
    backend.launch({
      grid: elementGrid(count),
      inputs: [a, b],
      outputs: [{format: 'f32', shape}],
      shader: binaryBroadcast(name, left, right),
      whole: [count, ...lengths.slice(1), ...broadcastStrides(a.shape), ...broadcastStrides(b.shape)],
    }),
  )
}

/** Strides of a shape of rank four; 0 along axes of one number, which are repeated. */
function broadcastStrides(shape: readonly number[]): number[] {
  const lengths = toRankFour(shape)
  return stridesOf(lengths).map((stride, axis) => (lengths[axis] === 1 ? 0 : stride))
}

export function only(infos: readonly tf.TensorInfo[]): tf.TensorInfo {
  return infos[0]
}

/** A tensor of one number repeated. */
export function filled(
  shape: readonly number[],
  value: number,
  dtype: tf.DataType,
  backend: GpuBackend,
): tf.TensorInfo {
  const format = dtype === 'float32' ? 'f32' : 'i32'
  const count = Math.ceil(tf.util.sizeFromShape([...shape]) / 4)
  return only(
    backend.launch({
      floats: [value],
      grid: elementGrid(count),
      inputs: [],
      outputs: [{format, shape}],
      shader: fill(format),
      whole: [count],
    }),
  )
}

const others: GpuKernel[] = [
  {
    name: 'Fill',
    run: (_inputs, {dtype, shape, value}, backend) =>
      filled(shape as number[], value as number, (dtype as tf.DataType | undefined) ?? 'float32', backend),
  },
  {name: 'ZerosLike', run: ({x}, _attributes, backend) => filled(x.shape, 0, x.dtype, backend)},
  {name: 'OnesLike', run: ({x}, _attributes, backend) => filled(x.shape, 1, x.dtype, backend)},
  {
    name: 'AddN',
    run(inputs, _attributes, backend) {
      const list = Object.values(inputs)
      if (list.length === 1) return shared(list[0], list[0].shape, backend) // not the input itself, which is on the tape
      return list.slice(1).reduce((sum, next, index) => {
        const total = runBinary('Add', sum, next, backend)
        if (index > 0) backend.disposeData(sum.dataId)
        return total
      }, list[0])
    },
  },
  {
    name: 'Cast',
    run({x}, {dtype}, backend) {
      if (x.dtype === dtype) return shared(x, x.shape, backend)
      const to = dtype === 'float32' ? 'f32' : 'i32'
      const count = tf.util.sizeFromShape(x.shape)
      return only(
        backend.launch({
          grid: elementGrid(count),
          inputs: [x],
          outputs: [{format: to, shape: x.shape}],
          shader: cast(backend.formatOf(x), to),
          whole: [count],
        }),
      )
    },
  },
]

/** The same data under another shape. */
export function shared({dataId, dtype}: tf.TensorInfo, shape: readonly number[], backend: GpuBackend): tf.TensorInfo {
  backend.incRef(dataId)
  return {dataId, dtype, shape: [...shape]}
}

export const elementwiseKernels: readonly GpuKernel[] = [...unaryKernels, ...binaryKernels, ...others]

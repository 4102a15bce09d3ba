/** TensorFlow.js's sums and maxima, and the plain matrix product. */
import * as tf from '@tensorflow/tfjs-core'
import {flatGrid} from '../shader.js'
import {only, shared} from './elementwise.js'
import {elementGrid} from './elementwise.wgsl.js'
import {type GpuKernel} from './gpu-kernel.js'
import {plainProduct} from './matmul.wgsl.js'
import {reduceLong, reduceShort, type Reduction} from './reduce.wgsl.js'

/** Axes up to this length are summed by one invocation each. */
const SHORT = 64

const reductions: GpuKernel[] = (['Sum', 'Max'] as const).map((name: Reduction) => ({
  name,
  run(inputs, {axis, keepDims, reductionIndices}, backend) {
    const {x} = inputs
    const axes = tf.util.parseAxisParam((axis ?? reductionIndices ?? null) as number[], x.shape)
    const [first, last] = [axes[0] ?? 0, axes[axes.length - 1] ?? -1]
    if (axes.some((value, index) => value !== first + index)) {
      throw new Error('tensors on the GPU are reduced along neighbouring axes only')
    }
    const size = (from: number, to: number): number => tf.util.sizeFromShape(x.shape.slice(from, to))
    const [outer, length, inner] = [size(0, first), size(first, last + 1), size(last + 1, x.shape.length)]
    const shape = x.shape.flatMap((whole, index) => (axes.includes(index) ? (keepDims ? [1] : []) : [whole]))
    if (length === 1) return shared(x, shape, backend)
    const results = outer * inner
    const short = length <= SHORT
    return only(
      backend.launch({
        grid: short ? elementGrid(results) : flatGrid(results),
        inputs: [x],
        outputs: [{format: 'f32', shape}],
        shader: (short ? reduceShort : reduceLong)(name, backend.formatOf(x)),
        whole: [results, length, inner],
      }),
    )
  },
}))

const product: GpuKernel = {
  name: 'BatchMatMul',
  run({a, b}, {transposeA, transposeB}, backend) {
    const [rows, columns] = [a.shape.length - 2, a.shape.length - 1]
    const [m, k] = transposeA ? [a.shape[columns], a.shape[rows]] : [a.shape[rows], a.shape[columns]]
    const n = b.shape[transposeB ? rows : columns]
    const batch = tf.util.sizeFromShape(a.shape.slice(0, rows))
    return only(
      backend.launch({
        grid: elementGrid(batch * m * n),
        inputs: [a, b],
        outputs: [{format: 'f32', shape: [...a.shape.slice(0, rows), m, n]}],
        shader: plainProduct({
          left: backend.formatOf(a),
          right: backend.formatOf(b),
          transposeLeft: transposeA === true,
          transposeRight: transposeB === true,
        }),
        whole: [batch, m, n, k],
      }),
    )
  },
}

export const reductionKernels: readonly GpuKernel[] = [...reductions, product]

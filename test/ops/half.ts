/** Tensors stored in f16 on the GPU, of values that f16 holds exactly: what differs then is computed, not stored. */
import * as tf from '@tensorflow/tfjs-core'
import {gpuHost} from '../../src/backend/gpu/current.js'
import {type Format} from '../../src/backend/gpu/shader.js'
import {gatherRowsOnGpu} from '../../src/ops/gather-rows.gpu.js'
import {toTensors} from '../../src/ops/operation.js'
import {type Named, type Values} from '../support/values.js'

/** The same values cut to multiples of 2⁻⁸: exact in f16 up to 8. */
function coarse({data, shape}: Values): Values {
  return data instanceof Float32Array
    ? {data: data.map((value) => Math.round(256 * value) / 256), shape}
    : {data, shape}
}

export const coarseInputs = (inputs: Named): Named =>
  Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, coarse(values)]))

/** A copy of a matrix in f16; its columns are a multiple of 8. */
export function inHalf(matrix: tf.Tensor): tf.Tensor {
  const host = gpuHost()
  if (!host) throw new Error('f16 is a format of the GPU only')
  const indices = tf.tensor1d(
    Int32Array.from({length: matrix.shape[0]}, (_, row) => row),
    'int32',
  )
  return toTensors([gatherRowsOnGpu(host, {format: 'f16', indices, table: matrix})])[0]
}

export function formatOf(tensor: tf.TensorInfo): Format | undefined {
  return gpuHost()?.formatOf(tensor)
}

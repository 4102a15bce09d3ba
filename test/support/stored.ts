/**
 * Inputs as activations lie on the GPU: f16 instead of f32, and slices of the columns of wider rows. Both have gradients, so
 * that an operation is given f16 gradients too. Numbers that f16 holds exactly pass unchanged.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../../src/backend/gpu/launch.js'
import {binding, FLAT_WORKGROUP, flatGrid, parameters, type Shader} from '../../src/backend/gpu/shader.js'
import {fromFloat32, toFloat32} from '../../src/checkpoint/dtypes.js'
import {defineFusion, toTensors} from '../../src/ops/operation.js'
import {splitColumns} from '../../src/ops/rows.js'
import {type Tolerance} from './close.js'
import {type Cotangent, randomCotangent} from './evaluate.js'
import {mapNamed, type Named} from './values.js'

/** One rounding to f16, either way as WGSL allows it, after sums as in close.ts. */
export const F16: Tolerance = {absolute: 1e-5, relative: 2 ** -10 + 1e-4}

function inF16(values: Float32Array): Float32Array {
  return toFloat32(fromFloat32(values, 'F16'), 'F16')
}

/** The inputs with every number rounded to f16. */
export function roundedInputs(inputs: Named): Named {
  return mapNamed(inputs, ({data, shape}) => ({data: inF16(Float32Array.from(data)), shape}))
}

export const roundedCotangent: Cotangent = (output, size) => inF16(randomCotangent(output, size))

function narrow(format: 'f16' | 'f32'): Shader {
  return {
    code: () =>
      [
        parameters(['count']),
        binding({binding: 0, format, name: 'x', width: 4}),
        binding({binding: 1, format: 'f16', name: 'y', output: true, width: 4}),
        /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = ${FLAT_WORKGROUP} * 64u + thread;
  if (i < params.count) { store_y(i, load_x(i)); }
}`,
      ].join('\n'),
    key: format,
    name: 'to f16, in tests',
  }
}

function narrowed(x: tf.Tensor, host: ShaderHost): tf.TensorInfo {
  const count = x.size / 4
  const [y] = host.launch({
    grid: flatGrid(Math.ceil(count / 64)),
    inputs: [x],
    outputs: [{format: 'f16', shape: x.shape}],
    shader: narrow(host.formatOf(x) === 'f16' ? 'f16' : 'f32'),
    whole: [count],
  })
  return y
}

const toHalf = defineFusion({
  elsewhere() {
    throw new Error('Only the GPU stores f16.')
  },
  gpu: {
    gradient: ([dy], {x}, _settings, host) => ({
      x: () => toTensors([narrowed(dy ?? tf.zerosLike(x), host)])[0],
    }),
    value: ({x}, _settings, host) => ({outputs: [narrowed(x, host)]}),
  },
  name: 'TestHalf',
})

/** x stored in f16, and so is the gradient that reaches it. The last axis is a multiple of 8. */
export function halved<T extends tf.Tensor>(x: T): T {
  return toHalf({x})[0] as T
}

/** The middle columns of rows that are 8 wider on either side, in the format in which `store` leaves these. */
export function sliced<T extends tf.Tensor>(x: T, store: <S extends tf.Tensor>(x: S) => S = (whole) => whole): T {
  const columns = x.shape[x.rank - 1]
  const side = tf.fill([...x.shape.slice(0, -1), 8], 1000)
  return splitColumns(store(tf.concat([side, x, side], -1)), [8, columns, 8])[1] as T
}

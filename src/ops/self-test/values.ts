/**
 * Random numbers for the self-test: plain arrays on no device, the same on every machine. They can be put on the current
 * backend as f32, or in f16 as a model stores weights and activations.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuBackend} from '../../backend/gpu/current.js'
import {loadTensor} from '../../backend/gpu/load-tensor.js'
import {fromFloat32, toFloat32} from '../../checkpoint/dtypes.js'
import {RandomStream} from '../../data/random.js'
import {toTensors} from '../operation.js'

export interface Values {
  readonly data: Float32Array | Int32Array
  readonly shape: readonly number[]
}

export type Named = Readonly<Record<string, Values>>
export type Tensors = Record<string, tf.Tensor>

const SEED = 20_261_123

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1)

export type Normal = (shape: readonly number[], mean?: number, deviation?: number) => Values

/** A source of normally distributed f32 values that depends on `name` only. */
export function normals(name: string): Normal {
  const random = new RandomStream(SEED, name)
  return (shape, mean = 0, deviation = 1) => ({
    data: Float32Array.from({length: sizeOf(shape)}, () => mean + deviation * random.normal()),
    shape,
  })
}

/** Each value changed by its position. */
export function changed({data, shape}: Values, change: (value: number, index: number) => number): Values {
  return {data: Float32Array.from(data, change), shape}
}

/** Whole numbers, each made from its position. */
export function whole(shape: readonly number[], next: (index: number) => number): Values {
  return {data: Int32Array.from({length: sizeOf(shape)}, (_, index) => next(index)), shape}
}

/** positions (B, L) of rows that hold several sequences, which begin at step 0 and at `starts`. */
export function positionsOf(batch: number, length: number, starts: readonly number[]): Values {
  return whole([batch, length], (index) => {
    const t = index % length
    return t - Math.max(0, ...starts.filter((start) => start <= t))
  })
}

/** The nearest values that f16 holds; the same values where a tensor of this shape is not stored in f16. */
export function roundedToF16(values: Values): Values {
  const {data, shape} = values
  if (data instanceof Int32Array || !fitsF16(shape)) return values
  return {data: toFloat32(fromFloat32(data, 'F16'), 'F16'), shape}
}

/** Rows have to be whole groups of eight. */
const fitsF16 = (shape: readonly number[]): boolean => (shape[shape.length - 1] ?? 1) % 8 === 0

/** A tensor on the current backend that lives until it is disposed of. In f16 where asked for and the GPU computes. */
export async function placed({data, shape}: Values, format: 'f16' | 'f32'): Promise<tf.Tensor> {
  const backend = gpuBackend()
  if (!backend || data instanceof Int32Array || format === 'f32' || !fitsF16(shape)) {
    return tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32')
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const {tensor} = await loadTensor(backend, {format, pieces: onePiece(bytes), shape, source: 'f32'})
  return toTensors([tensor])[0]
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/**
 * Named arrays of numbers with their shapes: what a test feeds to an operation, to its meaning and to a plain f64 function
 * alike. They live on no device. All random values are pure functions of the names they were asked for by.
 */
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../../src/data/random.js'

export interface Values {
  readonly data: Float32Array | Float64Array | Int32Array
  readonly shape: readonly number[]
}

export type Named = Readonly<Record<string, Values>>
export type Tensors = Record<string, tf.Tensor>
export type Numbers = Record<string, Float64Array>

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1)

/** f32 values, each made by `next` from its position. */
export function filled(shape: readonly number[], next: (index: number) => number): Values {
  return {data: Float32Array.from({length: sizeOf(shape)}, (_, index) => next(index)), shape}
}

/** A source of normally distributed f32 values. */
export function normals(name: string): (shape: readonly number[], mean?: number, deviation?: number) => Values {
  const random = new RandomStream(20_260_401, name)
  return (shape, mean = 0, deviation = 1) => filled(shape, () => mean + deviation * random.normal())
}

/** A normally distributed f32 vector that depends on `name` and `size` only: a direction or a cotangent. */
export function direction(name: string, size: number): Float32Array {
  return normals(name)([size]).data as Float32Array
}

export function toTensor({data, shape}: Values): tf.Tensor {
  if (data instanceof Float64Array) throw new Error('A device holds f32 and int32 only.')
  return tf.tensor(data, shape as number[], data instanceof Int32Array ? 'int32' : 'float32')
}

export function mapNamed<From, To>(
  named: Readonly<Record<string, From>>,
  change: (value: From, name: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, change(value, name)]))
}

/** TensorFlow.js's own kernels on the GPU. Only their values: their gradients are made of one another. */
import * as tf from '@tensorflow/tfjs-core'
import {operation} from './operation-subject.js'
import {type Subject} from './subject.js'
import {changed, type Named, normals, type Tensors, type Values} from './values.js'

const normal = normals('generic')

/** Away from zero, where a reciprocal has no size. */
const positive = (values: Values): Values => changed(values, (value) => 0.5 + Math.abs(value))

interface GenericCase {
  readonly kernel: string
  readonly sizes: string
  readonly inputs: Named
  readonly call: (inputs: Tensors) => Tensors
}

const generic = ({call, inputs, kernel, sizes}: GenericCase): Subject =>
  operation({call, inputs: () => inputs, kernel, sizes, stored: Object.keys(inputs), trained: []})

const functions = ({x}: Tensors): Tensors => ({
  exp: tf.exp(x),
  log: tf.log(x),
  neg: tf.neg(x),
  reciprocal: tf.reciprocal(x),
  rsqrt: tf.rsqrt(x),
  sigmoid: tf.sigmoid(x),
  sqrt: tf.sqrt(x),
  square: tf.square(x),
})

const pairs = ({a, b}: Tensors): Tensors => ({
  add: tf.add(a, b),
  div: tf.div(a, b),
  maximum: tf.maximum(a, b),
  minimum: tf.minimum(a, b),
  mul: tf.mul(a, b),
  sub: tf.sub(a, b),
  sum3: tf.addN([tf.add(a, b), tf.mul(a, b), tf.sub(a, b)]),
})

/** Short axes have a shader of their own. */
const reductions = ({x}: Tensors): Tensors => ({
  all: tf.sum(x),
  first: tf.sum(x, 0),
  last: tf.sum(x, -1, true),
  middle: tf.sum(x, 1),
  most: tf.max(x, 1),
  mostLast: tf.max(x, -1),
})

const products = ({a, b, c, d}: Tensors): Tensors => ({
  nn: tf.matMul(a, b),
  nt: tf.matMul(a, c, false, true),
  tn: tf.matMul(d, b, true),
  tt: tf.matMul(d, c, true, true),
})

const moves = ({x}: Tensors): Tensors => ({
  concat: tf.concat([x, tf.neg(x)], 1),
  pad: tf.pad(x, [
    [1, 0],
    [0, 2],
    [3, 1],
  ]),
  reshape: tf.reshape(x, [-1]),
  slice: tf.slice(x, [1, 2, 3], [2, 5, 7]),
  split: tf.split(x, 2, 2)[1],
  tile: tf.tile(x, [3, 1, 1]),
  transpose: tf.transpose(x, [2, 0, 1]),
})

const made = ({x}: Tensors): Tensors => ({
  cast: tf.cast(tf.cast(x, 'int32'), 'float32'),
  fill: tf.fill([9, 7], 2.5),
  ones: tf.onesLike(x),
  zeros: tf.zerosLike(x),
})

const SHAPE = [3, 70, 16]

export const genericSubjects: readonly Subject[] = [
  generic({call: functions, inputs: {x: positive(normal([3, 70, 16]))}, kernel: 'functions', sizes: '3 × 70 × 16'}),
  generic({
    call: pairs,
    inputs: {a: normal(SHAPE), b: positive(normal(SHAPE))},
    kernel: 'sums and products of pairs',
    sizes: '3 × 70 × 16',
  }),
  generic({
    call: pairs,
    inputs: {a: normal([3, 1, 16]), b: positive(normal([70, 1]))},
    kernel: 'the same, broadcast',
    sizes: '3 × 1 × 16 and 70 × 1',
  }),
  generic({call: reductions, inputs: {x: normal(SHAPE)}, kernel: 'sums and maxima', sizes: '3 × 70 × 16'}),
  generic({
    call: products,
    inputs: {a: normal([2, 24, 40]), b: normal([2, 40, 16]), c: normal([2, 16, 40]), d: normal([2, 40, 24])},
    kernel: 'small products',
    sizes: '2 × 24 × 40 × 16',
  }),
  generic({call: moves, inputs: {x: normal(SHAPE)}, kernel: 'moving numbers', sizes: '3 × 70 × 16'}),
  generic({call: made, inputs: {x: normal(SHAPE)}, kernel: 'making numbers', sizes: '3 × 70 × 16'}),
]

/** The operations, each with its meaning and its plain f64 function, and random inputs of any size for each of them. */
import * as tf from '@tensorflow/tfjs-core'
import {adaptedLinear, type LinearInputs} from '../../src/ops/adapted-linear/adapted-linear.js'
import {adaptedLinearReference} from '../../src/ops/adapted-linear/adapted-linear.reference.js'
import {causalConv, type ConvInputs} from '../../src/ops/causal-conv/causal-conv.js'
import {causalConvReference} from '../../src/ops/causal-conv/causal-conv.reference.js'
import {embedding} from '../../src/ops/embedding/embedding.js'
import {type HeadLossInputs, linearCrossEntropy} from '../../src/ops/linear-cross-entropy/linear-cross-entropy.js'
import {linearCrossEntropyReference} from '../../src/ops/linear-cross-entropy/linear-cross-entropy.reference.js'
import {rmsNorm} from '../../src/ops/rms-norm/rms-norm.js'
import {rmsNormReference} from '../../src/ops/rms-norm/rms-norm.reference.js'
import {type ScanInputs, selectiveScan} from '../../src/ops/selective-scan/selective-scan.js'
import {selectiveScanReference} from '../../src/ops/selective-scan/selective-scan.reference.js'
import {filled, type Named, normals, type Tensors, type Values} from '../support/values.js'
import {linearF64} from './f64-adapted-linear.js'
import {convF64} from './f64-causal-conv.js'
import {headLossF64} from './f64-linear-cross-entropy.js'
import {normF64} from './f64-rms-norm.js'
import {scanF64} from './f64-selective-scan.js'
import {type Subject} from './subject.js'

const toScan = ({h0, ...rest}: Tensors): ScanInputs => ({h0: h0 ?? null, ...rest}) as unknown as ScanInputs

export const scan: Subject = {
  call: (tensors) => ({...selectiveScan(toScan(tensors))}),
  differentiable: ['u', 'delta', 'a', 'b', 'c', 'd', 'z', 'h0'],
  exact: scanF64,
  meaning: (tensors) => ({...selectiveScanReference(toScan(tensors))}),
  name: 'selective scan',
}

export interface ScanSizes {
  readonly batch: number
  readonly length: number
  readonly channels: number
  readonly states: number
  readonly h0?: boolean
}

/** Of the magnitudes of a trained model: steps around 0.1 and decay rates −1 … −N, so states live for 1 to 100 steps. */
export function scanInputs({batch, channels, h0 = true, length, states}: ScanSizes): Named {
  const normal = normals(`scan ${batch} ${length} ${channels} ${states}`)
  const spread = normal([channels, states], 0, 0.3)
  return {
    a: filled([channels, states], (index) => -(1 + (index % states)) * Math.exp(spread.data[index])),
    b: normal([batch, length, states]),
    c: normal([batch, length, states]),
    d: normal([channels], 1),
    delta: normal([batch, length, channels], -2),
    u: normal([batch, length, channels]),
    z: normal([batch, length, channels]),
    ...(h0 && {h0: normal([batch, channels, states])}),
  }
}

const toConv = ({bias, window, ...rest}: Tensors): ConvInputs =>
  ({bias: bias ?? null, window: window ?? null, ...rest}) as unknown as ConvInputs

export const conv: Subject = {
  call: (tensors) => ({...causalConv(toConv(tensors))}),
  differentiable: ['x', 'weight', 'bias', 'window'],
  exact: convF64,
  meaning: (tensors) => ({...causalConvReference(toConv(tensors))}),
  name: 'causal convolution',
}

export interface ConvSizes {
  readonly batch: number
  readonly length: number
  readonly channels: number
  readonly width: number
  readonly bias?: boolean
  readonly window?: boolean
}

export function convInputs({batch, bias = true, channels, length, width, window = true}: ConvSizes): Named {
  const normal = normals(`conv ${batch} ${length} ${channels} ${width}`)
  return {
    weight: normal([channels, 1, width]),
    x: normal([batch, length, channels]),
    ...(bias && {bias: normal([channels])}),
    ...(window && {window: normal([batch, width - 1, channels])}),
  }
}

export function norm(epsilon = 1e-5): Subject {
  return {
    call: ({weight, x}) => ({y: rmsNorm(x, weight as never, epsilon)}),
    differentiable: ['x', 'weight'],
    exact: (inputs) => normF64(inputs, epsilon),
    meaning: ({weight, x}) => ({y: rmsNormReference(x, weight as never, epsilon)}),
    name: 'rms norm',
  }
}

/** Without a weight. */
export function plainNorm(epsilon = 1e-5): Subject {
  return {
    call: ({x}) => ({y: rmsNorm(x, null, epsilon)}),
    differentiable: ['x'],
    exact: ({x}) => normF64({weight: filled([x.shape[x.shape.length - 1]], () => 1), x}, epsilon),
    meaning: ({x}) => ({y: rmsNormReference(x, null, epsilon)}),
    name: 'rms norm without a weight',
  }
}

/** `shape` is that of x. */
export function normInputs(shape: readonly number[]): Named {
  const normal = normals(`norm ${shape.join()}`)
  return {weight: normal([shape[shape.length - 1]], 1, 0.5), x: normal(shape)}
}

const toLinear = ({bias, down, up, updateX, weight, weightTransposed, x}: Tensors): LinearInputs =>
  ({
    bias: bias ?? null,
    update: down ? {down, up, x: updateX ?? null} : null,
    weight,
    weightTransposed: weightTransposed ?? null,
    x,
  }) as unknown as LinearInputs

export const linear: Subject = {
  call: (tensors) => ({y: adaptedLinear(toLinear(tensors))}),
  differentiable: ['x', 'weight', 'bias', 'down', 'up', 'updateX'],
  exact: linearF64,
  meaning: (tensors) => ({y: adaptedLinearReference(toLinear(tensors))}),
  name: 'adapted linear',
}

export interface LinearSizes {
  /** All axes of x but the last. */
  readonly rows: readonly number[]
  readonly inputs: number
  readonly outputs: number
  /** 0: no update */
  readonly rank: number
  readonly bias?: boolean
  readonly dropped?: boolean
  readonly transposed?: boolean
}

/** Weights of the size that keeps y near 1. */
export function linearInputs(sizes: LinearSizes): Named {
  const {bias = false, dropped = false, inputs, outputs, rank, rows, transposed = false} = sizes
  const normal = normals(`linear ${rows.join()} ${inputs} ${outputs} ${rank}`)
  const weight = normal([outputs, inputs], 0, inputs ** -0.5)
  return {
    weight,
    x: normal([...rows, inputs]),
    ...(transposed && {weightTransposed: transposeOf(weight)}),
    ...(bias && {bias: normal([outputs])}),
    ...(rank > 0 && {down: normal([rank, inputs], 0, inputs ** -0.5), up: normal([outputs, rank], 0, rank ** -0.5)}),
    ...(rank > 0 && dropped && {updateX: normal([...rows, inputs])}),
  }
}

function transposeOf({data, shape: [rows, columns]}: Values): Values {
  return filled([columns, rows], (index) => data[(index % rows) * columns + Math.floor(index / rows)])
}

export const headLoss: Subject = {
  call: (tensors) => ({loss: linearCrossEntropy({weightTransposed: null, ...tensors} as unknown as HeadLossInputs)}),
  differentiable: ['hidden', 'weight', 'inner', 'up'],
  exact: headLossF64,
  meaning: (tensors) => ({loss: linearCrossEntropyReference(tensors as unknown as HeadLossInputs)}),
  name: 'linear cross-entropy',
}

export interface HeadLossSizes {
  readonly rows: number
  readonly inner: number
  readonly vocabulary: number
  /** R of an update; absent: none */
  readonly rank?: number
  /** Every one of so many rows is not supervised; absent: all are supervised. */
  readonly ignoredEvery?: number
  readonly transposed?: boolean
}

export function headLossInputs(sizes: HeadLossSizes): Named {
  const {ignoredEvery, inner, rank = 0, rows, transposed = false, vocabulary} = sizes
  const normal = normals(`head ${rows} ${inner} ${vocabulary}`)
  const weight = normal([vocabulary, inner])
  const labels = Int32Array.from({length: rows}, (_, row) =>
    ignoredEvery && row % ignoredEvery === 0 ? -100 : (row * 7919) % vocabulary,
  )
  return {
    hidden: normal([rows, inner]),
    labels: {data: labels, shape: [rows]},
    weight,
    ...(transposed && {weightTransposed: transposeOf(weight)}),
    ...(rank > 0 && {inner: normal([rows, rank]), up: normal([vocabulary, rank])}),
  }
}

export const lookUp: Subject = {
  call: ({ids, weight}) => ({y: embedding(ids as tf.Tensor2D, weight as tf.Tensor2D)}),
  differentiable: ['weight'],
  exact({ids, weight}) {
    const columns = weight.shape[1]
    const rows = Array.from(ids.data, (id) => [...weight.data.subarray(id * columns, (id + 1) * columns)])
    return {y: Float64Array.from(rows.flat())}
  },
  /** A product with rows of the identity matrix. */
  meaning({ids, weight}) {
    const chosen = tf.cast(tf.oneHot(tf.reshape(ids, [ids.size]), weight.shape[0]), 'float32') // (B·L, V)
    return {y: tf.reshape(tf.matMul(chosen, weight), [...ids.shape, weight.shape[1] ?? 1])}
  },
  name: 'embedding',
}

/** Every word but the last occurs where there are steps enough, most of them several times. */
export function lookUpInputs(batch: number, length: number, words: number, columns: number): Named {
  const data = Int32Array.from({length: batch * length}, (_, index) => (index * index + 3) % Math.max(1, words - 1))
  return {ids: {data, shape: [batch, length]}, weight: normals('embedding')([words, columns])}
}

/** Selective scan, convolution and norms, at sizes that call for every version of their kernels. */
import type * as tf from '@tensorflow/tfjs-core'
import {causalConv, type ConvInputs} from '../causal-conv/causal-conv.js'
import {addRmsNorm} from '../rms-norm/add-rms-norm.js'
import {rmsNorm} from '../rms-norm/rms-norm.js'
import {splitColumns} from '../rows.js'
import {selectiveScan, type ScanInputs} from '../selective-scan/selective-scan.js'
import {operation} from './operation-subject.js'
import {type Subject} from './subject.js'
import {changed, type Named, normals, type Tensors} from './values.js'

interface Sequence {
  readonly batch: number // B
  readonly length: number // L
  readonly channels: number // E
}

interface ScanCase extends Sequence {
  readonly states: number // N
  readonly costly?: boolean
}

const sizesOf = ({batch, channels, length}: Sequence): string => `B ${batch}, L ${length}, E ${channels}`

/** Of the magnitudes of a trained model: steps around 0.1 and decay rates −1 … −N. */
function scanInputs({batch, channels, length, states}: ScanCase): Named {
  const normal = normals(`scan ${batch} ${length} ${channels} ${states}`)
  return {
    a: changed(normal([channels, states], 0, 0.3), (spread, index) => -(1 + (index % states)) * Math.exp(spread)),
    b: normal([batch, length, states]),
    c: normal([batch, length, states]),
    d: normal([channels], 1),
    delta: normal([batch, length, channels], -2),
    h0: normal([batch, channels, states]),
    u: normal([batch, length, channels]),
    z: normal([batch, length, channels]),
  }
}

const SCAN_STORED = ['u', 'delta', 'b', 'c', 'z', 'y']

/** With a first state and a last one. */
function scan(of: ScanCase): Subject {
  return operation({
    call: (tensors) => ({...selectiveScan(tensors as unknown as ScanInputs)}),
    inputs: () => scanInputs(of),
    kernel: 'selective scan',
    costly: of.costly ?? false,
    sizes: `${sizesOf(of)}, N ${of.states}`,
    stored: SCAN_STORED,
    trained: ['u', 'delta', 'a', 'b', 'c', 'd', 'z', 'h0'],
  })
}

/** As a layer has it: z, B and C are slices, there is no first state, and the last one is not used. */
function scanOfSlices(of: ScanCase): Subject {
  const {batch, channels, length, states} = of
  return operation({
    call({bc, xz, ...rest}) {
      const [, z] = splitColumns(xz, [channels, channels])
      const [, b, c] = splitColumns(bc, [8, states, states])
      return {y: selectiveScan({...(rest as unknown as ScanInputs), b: as3(b), c: as3(c), h0: null, z: as3(z)}).y}
    },
    inputs() {
      const {a, d, delta, u} = scanInputs(of)
      const normal = normals('slices')
      return {a, bc: normal([batch, length, 8 + 2 * states]), d, delta, u, xz: normal([batch, length, 2 * channels])}
    },
    kernel: 'selective scan',
    costly: of.costly ?? false,
    sizes: `${sizesOf(of)}, N ${states}, slices`,
    stored: [...SCAN_STORED, 'bc', 'xz'],
    trained: ['u', 'delta', 'bc', 'xz'],
  })
}

const as3 = (tensor: tf.Tensor): tf.Tensor3D => tensor as tf.Tensor3D

interface ConvCase extends Sequence {
  readonly width: number // K
}

function convInputs({batch, channels, length, width}: ConvCase): Named {
  const normal = normals(`conv ${batch} ${length} ${channels} ${width}`)
  return {
    bias: normal([channels]),
    weight: normal([channels, 1, width]),
    window: normal([batch, width - 1, channels]),
    x: normal([batch, length, channels]),
  }
}

/** With a window before the first step, and the last inputs as an output. */
function conv(of: ConvCase): Subject {
  return operation({
    call: (tensors) => ({...causalConv(tensors as unknown as ConvInputs)}),
    inputs: () => convInputs(of),
    kernel: 'causal convolution',
    sizes: `${sizesOf(of)}, K ${of.width}`,
    stored: ['x', 'y'],
    trained: ['x', 'weight', 'bias', 'window'],
  })
}

/** As a layer has it: x is a slice and nothing comes before it. */
function convOfSlice(of: ConvCase): Subject {
  return operation({
    call({bias, weight, xz}) {
      const [x] = splitColumns(xz, [of.channels, of.channels])
      return {y: causalConv({bias: bias as tf.Tensor1D, weight: as3(weight), window: null, x: as3(x)}).y}
    },
    inputs() {
      const {bias, weight} = convInputs(of)
      return {bias, weight, xz: normals('slice')([of.batch, of.length, 2 * of.channels])}
    },
    kernel: 'causal convolution',
    sizes: `${sizesOf(of)}, K ${of.width}, slice`,
    stored: ['xz', 'y'],
    trained: ['xz'],
  })
}

const EPSILON = 1e-5

function norm(rows: number, columns: number): Subject {
  return operation({
    call: ({weight, x}) => ({y: rmsNorm(x, weight as tf.Tensor1D, EPSILON)}),
    inputs() {
      const normal = normals(`norm ${rows} ${columns}`)
      return {weight: normal([columns], 1, 0.5), x: normal([rows, columns])}
    },
    kernel: 'rms norm',
    sizes: `M ${rows}, d ${columns}`,
    stored: ['y'],
    trained: ['x', 'weight'],
  })
}

/** As Falcon-Mamba normalises B and C: without a weight, and x is a slice. */
function normOfSlice(rows: number, columns: number): Subject {
  return operation({
    call: ({bc}) => ({y: rmsNorm(splitColumns(bc, [columns, columns])[1], null, EPSILON)}),
    inputs: () => ({bc: normals('norm of a slice')([rows, 2 * columns])}),
    kernel: 'rms norm',
    sizes: `M ${rows}, d ${columns}, slice`,
    stored: ['bc'],
    trained: ['bc'],
  })
}

/** The residual stream is f32, the update an activation. */
function addNorm(rows: number, columns: number): Subject {
  return operation({
    call: ({hidden, update, weight}: Tensors) => ({...addRmsNorm(hidden, update, weight as tf.Tensor1D, EPSILON)}),
    inputs() {
      const normal = normals(`add norm ${rows} ${columns}`)
      return {hidden: normal([rows, columns]), update: normal([rows, columns]), weight: normal([columns], 1, 0.5)}
    },
    kernel: 'add and rms norm',
    sizes: `M ${rows}, d ${columns}`,
    stored: ['update', 'normed'],
    trained: ['hidden', 'update', 'weight'],
  })
}

export const sequenceSubjects: readonly Subject[] = [
  scan({batch: 2, channels: 64, length: 70, states: 16}),
  scanOfSlices({batch: 2, channels: 64, length: 70, states: 16}),
  scan({batch: 1, channels: 13, length: 5, states: 3}),
  scan({batch: 1, channels: 16, costly: true, length: 33, states: 64}),
  scanOfSlices({batch: 8, channels: 1536, costly: true, length: 100, states: 16}),
  conv({batch: 2, channels: 64, length: 70, width: 4}),
  convOfSlice({batch: 2, channels: 64, length: 70, width: 4}),
  conv({batch: 2, channels: 13, length: 9, width: 3}),
  norm(131, 256),
  norm(5, 13),
  normOfSlice(131, 16),
  addNorm(131, 256),
  addNorm(5, 13),
]

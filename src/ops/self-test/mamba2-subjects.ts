/** Mamba-2's scan and gated norm, at sizes that call for every version of their kernels. */
import type * as tf from '@tensorflow/tfjs-core'
import {gatedRmsNorm} from '../gated-rms-norm/gated-rms-norm.js'
import {splitColumns} from '../rows.js'
import {ssdScan, type SsdInputs, type SsdSettings} from '../ssd-scan/ssd-scan.js'
import {operation} from './operation-subject.js'
import {type Subject} from './subject.js'
import {changed, type Named, normals, positionsOf} from './values.js'

interface SsdCase {
  readonly batch: number // B
  readonly length: number // L
  readonly heads: number // H
  readonly size: number // P
  readonly groups: number // G
  readonly states: number // N
  readonly limit?: SsdSettings['limit']
  /** Steps at which sequences begin besides the first, in every row */
  readonly starts?: readonly number[]
  readonly costly?: boolean
}

const EPSILON = 1e-5

const sizesOf = ({batch, groups, heads, length, size, starts, states}: SsdCase): string =>
  `B ${batch}, L ${length}, H ${heads}, P ${size}, G ${groups}, N ${states}${starts ? ', packed' : ''}`

/** Of the magnitudes of a trained model: steps around 0.1 and decay rates −1 … −16. */
function ssdInputs(of: SsdCase): Named {
  const {batch, groups, heads, length, size, states} = of
  const normal = normals(`ssd ${sizesOf(of)}`)
  return {
    a: changed(normal([heads], 0, 0.3), (spread, head) => -(1 + (head % 16)) * Math.exp(spread)),
    b: normal([batch, length, groups * states]),
    c: normal([batch, length, groups * states]),
    d: normal([heads], 1),
    delta: normal([batch, length, heads], -2),
    h0: normal([batch, heads, size, states]),
    x: normal([batch, length, heads * size]),
    ...(of.starts && {positions: positionsOf(batch, length, of.starts)}),
  }
}

const settingsOf = ({groups, heads, limit = [0, Infinity]}: SsdCase): SsdSettings => ({groups, heads, limit})

/** With a first state and a last one. */
function ssd(of: SsdCase): Subject {
  return operation({
    call: (tensors) => ({...ssdScan(tensors as unknown as SsdInputs, settingsOf(of))}),
    costly: of.costly ?? false,
    inputs: () => ssdInputs(of),
    kernel: 'SSD scan',
    sizes: sizesOf(of),
    stored: ['x', 'b', 'c', 'y'],
    trained: ['x', 'delta', 'a', 'b', 'c', 'd', 'h0'],
  })
}

/** As a layer has it: x, B and C are slices, there is no first state, and the last one is not used. */
function ssdOfSlices(of: SsdCase): Subject {
  const {batch, groups, heads, length, size, states} = of
  const widths = [heads * size, groups * states, groups * states]
  return operation({
    call({xbc, ...rest}) {
      const [x, b, c] = splitColumns(xbc as tf.Tensor3D, widths)
      return {y: ssdScan({...(rest as unknown as SsdInputs), b, c, h0: null, x}, settingsOf(of)).y}
    },
    costly: of.costly ?? false,
    inputs() {
      const {a, d, delta, ...rest} = ssdInputs(of)
      const columns = widths.reduce((sum, width) => sum + width, 0)
      const packing = 'positions' in rest && {positions: rest.positions}
      return {a, d, delta, xbc: normals('SSD slices')([batch, length, columns]), ...packing}
    },
    kernel: 'SSD scan',
    sizes: `${sizesOf(of)}, slices`,
    stored: ['xbc', 'y'],
    trained: ['delta', 'xbc'],
  })
}

/** As a layer has it: the gate is a slice. */
function gatedNorm(rows: number, columns: number): Subject {
  return operation({
    call({weight, x, zx}) {
      const [z] = splitColumns(zx, [columns, columns])
      return {y: gatedRmsNorm(x, z, weight as tf.Tensor1D, EPSILON)}
    },
    inputs() {
      const normal = normals(`gated norm ${rows} ${columns}`)
      return {weight: normal([columns], 1, 0.5), x: normal([rows, columns]), zx: normal([rows, 2 * columns])}
    },
    kernel: 'gated rms norm',
    sizes: `M ${rows}, E ${columns}`,
    stored: ['x', 'zx', 'y'],
    trained: ['x', 'zx', 'weight'],
  })
}

/** Borders at the ends of chunks and of eights, next to each other, and a chunk without any */
const STARTS = [1, 2, 17, 40, 63, 64, 72, 192]

export const mamba2Subjects: readonly Subject[] = [
  ssd({batch: 2, groups: 2, heads: 4, length: 70, size: 8, states: 12}),
  ssd({batch: 1, costly: true, groups: 2, heads: 4, length: 70, limit: [0.05, 0.2], size: 32, states: 64}),
  ssdOfSlices({batch: 2, costly: true, groups: 1, heads: 24, length: 200, size: 64, states: 128}),
  ssd({batch: 2, groups: 2, heads: 4, length: 70, size: 8, starts: [3, 4, 30, 63, 64, 69], states: 12}),
  ssd({batch: 1, costly: true, groups: 2, heads: 4, length: 150, size: 32, starts: [20, 31, 32, 140], states: 64}),
  ssd({batch: 1, costly: true, groups: 1, heads: 8, length: 200, size: 64, starts: STARTS, states: 128}),
  ssdOfSlices({batch: 2, costly: true, groups: 1, heads: 24, length: 200, size: 64, starts: STARTS, states: 128}),
  gatedNorm(131, 256),
  gatedNorm(5, 13),
]

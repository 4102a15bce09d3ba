/** The operations of Mamba-2 as the tests see them, and random inputs of any size for them: as subjects.ts. */
import {gatedRmsNorm} from '../../src/ops/gated-rms-norm/gated-rms-norm.js'
import {gatedRmsNormReference} from '../../src/ops/gated-rms-norm/gated-rms-norm.reference.js'
import {ssdScan, type SsdInputs, type SsdSettings} from '../../src/ops/ssd-scan/ssd-scan.js'
import {ssdScanReference} from '../../src/ops/ssd-scan/ssd-scan.reference.js'
import {filled, type Named, normals, type Tensors, type Values} from '../support/values.js'
import {normF64} from './f64-rms-norm.js'
import {ssdScanF64} from './f64-ssd-scan.js'
import {type Subject} from './subject.js'

export const toSsd = ({h0, ...rest}: Tensors): SsdInputs => ({h0: h0 ?? null, ...rest}) as unknown as SsdInputs

export const UNLIMITED: SsdSettings['limit'] = [0, Infinity]

export function ssd(heads: number, groups: number, limit = UNLIMITED): Subject {
  const settings = {groups, heads, limit}
  return {
    call: (tensors) => ({...ssdScan(toSsd(tensors), settings)}),
    differentiable: ['x', 'delta', 'a', 'b', 'c', 'd', 'h0'],
    exact: (inputs) => ssdScanF64(inputs, settings),
    meaning: (tensors) => ({...ssdScanReference(toSsd(tensors), settings)}),
    name: 'SSD scan',
  }
}

export interface SsdSizes {
  readonly batch: number
  readonly length: number
  readonly heads: number
  readonly groups: number
  /** P */
  readonly size: number
  readonly states: number
  readonly h0?: boolean
}

/** Of the magnitudes of a trained model: steps around 0.1 and decay rates from −1 to −16. */
export function ssdInputs({batch, groups, h0 = true, heads, length, size, states}: SsdSizes): Named {
  const normal = normals(`ssd ${batch} ${length} ${heads} ${size} ${states} ${groups}`)
  const spread = normal([heads], 0, 0.3)
  return {
    a: filled([heads], (head) => -(1 + (head % 16)) * Math.exp(spread.data[head])),
    b: normal([batch, length, groups * states]),
    c: normal([batch, length, groups * states]),
    d: normal([heads], 1),
    delta: normal([batch, length, heads], -2),
    x: normal([batch, length, heads * size]),
    ...(h0 && {h0: normal([batch, heads, size, states])}),
  }
}

export function gatedNorm(epsilon = 1e-5): Subject {
  return {
    call: ({weight, x, z}) => ({y: gatedRmsNorm(x, z, weight as never, epsilon)}),
    differentiable: ['x', 'z', 'weight'],
    exact: ({weight, x, z}) => normF64({weight, x: gated(x, z)}, epsilon),
    meaning: ({weight, x, z}) => ({y: gatedRmsNormReference(x, z, weight as never, epsilon)}),
    name: 'gated RMS norm',
  }
}

/** x silu(z) in f64 */
function gated(x: Values, z: Values): Values {
  const data = Float64Array.from(x.data, (value, index) => (value * z.data[index]) / (1 + Math.exp(-z.data[index])))
  return {data: data, shape: x.shape}
}

/** `shape` is that of x. */
export function gatedNormInputs(shape: readonly number[]): Named {
  const normal = normals(`gated norm ${shape.join()}`)
  return {weight: normal([shape[shape.length - 1]], 1, 0.5), x: normal(shape), z: normal(shape)}
}

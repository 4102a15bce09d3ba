/** What is asked of a matrix product. */
import type * as tf from '@tensorflow/tfjs-core'
import {type StridedInput} from '../../backend/gpu/launch.js'
import {type FloatFormat, type Kind} from './tile-program.js'

export type Factor = tf.TensorInfo | StridedFactor

export interface StridedFactor extends StridedInput {
  /** The row that it begins with; 0 if left out */
  readonly fromRow?: number
}

export interface ProductSpec {
  /** Which operands lie transposed: see tile-program.ts */
  readonly kind: Kind
  readonly left: Factor // (…, K); TN (…, M), its rows folded into K
  readonly right: Factor // NT (N, K), NN (K, N); TN (…, N)
  /** NT and NN: a second pair of operands whose product is added */
  readonly extension?: {readonly left: Factor; readonly right: Factor} | undefined // (…, R) and (N, R) or (R, N)
  readonly bias?: tf.TensorInfo | undefined // (N)
  /** A factor of the sums, not of the bias; 1 if left out */
  readonly scale?: number
  readonly format: FloatFormat
  /** NT and NN: the result is a part of a whole; left out: it is the whole. */
  readonly into?: PartOfResult | undefined
}

/** A product of one window of rows: columns of the whole result (NT), or a term of it (NN). */
export interface PartOfResult {
  /** Of the whole */
  readonly columns: number
  /** The first column; the whole's bias counts from there too. */
  readonly from: number
  /** What is there already is added. */
  readonly adds: boolean
  /** The whole; null where it is yet to be made. */
  readonly y: tf.TensorInfo | null
}

export const tensorOf = (factor: Factor): tf.TensorInfo => ('strided' in factor ? factor.tensor : factor)

export const columnsOf = ({shape}: tf.TensorInfo): number => shape[shape.length - 1]

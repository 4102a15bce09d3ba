/**
 * Trained tensors of the shape of a layer's state, (E, N) or for each head (H, P, N): whole, or with a rank r as a product
 * U Vᵀ, head by head where there are heads, of U (…, r) and V (N, r). Whole they start as zero; of the factors U starts as
 * zero and V as U(±1/√r), so that the product is zero and yet has a gradient.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type MambaConfig} from '../model/config.js'
import {stateShape} from '../model/parameters.js'
import {type ParameterSpec} from './method.js'

export function zeros(shape: readonly number[]): ParameterSpec {
  return {initial: () => new Float32Array(tf.util.sizeFromShape([...shape])), shape}
}

export function uniform(shape: readonly number[], bound: number): ParameterSpec {
  const length = tf.util.sizeFromShape([...shape])
  const draw = (random: RandomStream): number => (2 * random.uniform() - 1) * bound
  return {initial: (random) => Float32Array.from({length}, () => draw(random)), shape}
}

/** The tensors behind one state. */
export function stateSpecs(name: string, rank: number | undefined, config: MambaConfig): [string, ParameterSpec][] {
  const shape = stateShape(config)
  if (rank === undefined) return [[name, zeros(shape)]]
  const heads = shape.slice(0, -2) // (H), or ()
  const [rows, states] = shape.slice(-2) // P or E, N
  return [
    [`${name}.U`, zeros([...heads, rows, rank])],
    [`${name}.V`, uniform([...heads, states, rank], 1 / Math.sqrt(rank))],
  ]
}

/** (E, N) or (H, P, N) */
export function stateOf(values: ReadonlyMap<string, tf.Tensor>, name: string, rank: number | undefined): tf.Tensor {
  const value = (full: string): tf.Tensor => values.get(full) as tf.Tensor
  return rank === undefined ? value(name) : tf.matMul(value(`${name}.U`), value(`${name}.V`), false, true)
}

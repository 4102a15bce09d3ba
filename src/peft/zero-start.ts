/** A trained tensor that starts as zeros, because its method adds it to what is there. */
import {type ParameterSpec} from './method.js'

export function zeros(shape: readonly number[]): ParameterSpec {
  const count = shape.reduce((product, length) => product * length, 1)
  return {initial: () => new Float32Array(count), shape}
}

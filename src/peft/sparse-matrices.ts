/** Chosen channels and states as matrices of ones, which scatter their values by products, and the same sums on plain values. */
import {type MergeStep, type ParameterValues} from './method.js'
import {type LayerSelection} from './sparse-dimension-settings.js'

/** (c, E): row i has a one in the column of chosen channel i. */
export function oneHotChannels({channels}: LayerSelection, inner: number): ParameterValues {
  return oneHot([channels.length, inner], channels)
}

/** (c, s, N): row (i, j) has a one in the column of the j-th chosen state of channel i. */
export function oneHotStates({states}: LayerSelection, count: number): ParameterValues {
  return oneHot([states.length, states[0].length, count], states.flat())
}

function oneHot(shape: readonly number[], columns: readonly number[]): ParameterValues {
  const width = shape[shape.length - 1]
  const values = new Float32Array(columns.length * width)
  for (const [row, column] of columns.entries()) values[row * width + column] = 1
  return {shape, values}
}

/** A_log[e, n] += δ for each chosen channel e and state n; `values` are (c, s). */
export function addToStates({channels, states}: LayerSelection, count: number, values: Float32Array): MergeStep {
  return (aLog) => {
    let at = 0
    for (const [index, channel] of channels.entries()) {
      for (const state of states[index]) aLog[channel * count + state] += values[at++]
    }
  }
}

/** W[from + row, e] += δ for each chosen channel e; `values` are (rows, c), and W has `width` columns. */
export function addToColumns({channels}: LayerSelection, from: number, width: number, values: Float32Array): MergeStep {
  return (weight) => {
    for (const [at, value] of values.entries()) {
      const row = from + Math.trunc(at / channels.length)
      weight[row * width + channels[at % channels.length]] += value
    }
  }
}

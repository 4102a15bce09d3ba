/**
 * Which channels and states sparse dimension tuning trains: those whose A_log the warm-up has changed most. A channel counts
 * Σ_n ΔA_log[e,n]², a state of it ΔA_log[e,n]², as in the authors' code (their paper: by the change of ‖Ā‖).
 */
import {type Fault, RecipeError} from '../errors.js'
import {type Mamba1Config} from '../model/config.js'
import {type LayerSelection, type SparseDimensionSettings} from './sparse-dimension-settings.js'

type Shares = Pick<SparseDimensionSettings, 'freeze_channels' | 'freeze_states'>

/** c and s: how many channels of a layer are trained, and how many states of each. */
export function keptCounts(shares: Shares, {inner, states}: Mamba1Config): {channels: number; states: number} {
  const kept = (all: number, frozen: number): number => Math.max(1, all - Math.round(frozen * all))
  return {channels: kept(inner, shares.freeze_channels), states: kept(states, shares.freeze_states)}
}

/** From ΔA_log (E, N) of one layer. Of equal ones the first counts. */
export function selectDimensions(delta: Float32Array, shares: Shares, config: Mamba1Config): LayerSelection {
  const kept = keptCounts(shares, config)
  const squares = Float64Array.from(delta, (value) => value * value) // (E, N)
  const rowOf = (channel: number): Float64Array =>
    squares.subarray(channel * config.states, (channel + 1) * config.states)
  const sums = Float64Array.from({length: config.inner}, (_, channel) =>
    rowOf(channel).reduce((sum, square) => sum + square, 0),
  )
  const channels = largest(sums, kept.channels)
  return {channels, states: channels.map((channel) => largest(rowOf(channel), kept.states))}
}

/** Indices of the `count` largest, ascending. */
function largest(values: Float64Array, count: number): number[] {
  const order = [...values.keys()].sort((a, b) => values[b] - values[a] || a - b)
  return order.slice(0, count).sort((a, b) => a - b)
}

/** Errors: RecipeError with everything about a selection that this model has no place for. */
export function checkSelection(selection: readonly LayerSelection[], config: Mamba1Config): void {
  const faults: Fault[] = []
  const note = (where: string, message: string): unknown => faults.push({message, where: `selection${where}`})
  if (selection.length !== config.layers) note('', `has ${selection.length} layers, and the model ${config.layers}`)
  for (const [layer, {channels, states}] of selection.entries()) {
    if (!isAscending(channels, config.inner)) {
      note(`.${layer}.channels`, `expected different channels below ${config.inner}, ascending`)
    }
    const [first] = states
    const isEven = states.length === channels.length && states.every(({length}) => length === first.length)
    if (!isEven) note(`.${layer}.states`, 'expected as many lists as channels, all of one length')
    if (states.some((own) => !isAscending(own, config.states))) {
      note(`.${layer}.states`, `expected different states below ${config.states}, ascending`)
    }
  }
  if (faults.length === 0) return
  throw new RecipeError('The selection of sparse-dimension does not fit this model.', {
    faults,
    hint: 'Copy it from the adapter.json of a run on this model, or leave it out: a warm-up chooses.',
  })
}

function isAscending(indices: readonly number[], end: number): boolean {
  return indices.every((index, at) => index < end && (at === 0 || index > indices[at - 1]))
}

/**
 * Sparse dimension tuning (SDT): a LoRA, and in few channels e of each layer
 *
 *   A_log[e, n] += δ for some states n      (W of x_proj)[R …, e] += δ_B, δ_C for all states: what enters B and C from e
 *
 * Galim et al., arXiv 2410.09016, algorithm 1, and the authors' code. A warm-up trains ΔA_log whole with the LoRA; then the
 * channels and states that it changed most are chosen (sparse-selection.ts), everything is set back, and training begins
 * anew with the sparse δ, zero at the start. The chosen indices are settings of the adapter, in adapter.json; with the
 * values in adapter.safetensors they are coordinates and values of sparse matrices.
 *
 * We differ: the rows go on where the warm-up stopped, because both parts are one run of so many steps.
 *
 * δ_B and δ_C are an update of low rank whose A is frozen, one row for each channel with a one in its column.
 */
import * as tf from '@tensorflow/tfjs-core'
import {RecipeError} from '../errors.js'
import {type Mamba1Config, type MambaConfig} from '../model/config.js'
import {checkpointName} from '../model/parameters.js'
import {type LowRankTerm, type Sites} from '../model/sites.js'
import {type LoraSettings, loraSettings} from './lora-settings.js'
import {lora} from './lora.js'
import {
  type Attachment,
  canMerge,
  type MergeStep,
  type Method,
  type ParameterSpec,
  type ParameterValues,
} from './method.js'
import {type LayerSelection, type SparseDimensionSettings} from './sparse-dimension-settings.js'
import {addToColumns, addToStates, oneHotChannels, oneHotStates} from './sparse-matrices.js'
import {checkSelection, keptCounts, selectDimensions} from './sparse-selection.js'
import {zeros} from './zero-start.js'

/** The low-rank part of it. */
export function loraOfSparse({alpha, dropout, rank, targets}: SparseDimensionSettings): LoraSettings {
  return loraSettings.parse({alpha, dropout, method: 'lora', rank, targets})
}

const mixer = (layer: number): string => `layers.${layer}.mixer`
/** While warming up */
const deltaName = (layer: number): string => `${mixer(layer)}.A_log.delta`
const partName = (layer: number, part: 'A_log' | 'x_proj.B' | 'x_proj.C'): string => `${mixer(layer)}.${part}.values`
const channelsName = (layer: number): string => `${mixer(layer)}.channels`
const statesName = (layer: number): string => `${mixer(layer)}.states`

function mamba1(config: MambaConfig): Mamba1Config {
  if (config.architecture === 'mamba') return config
  throw new RecipeError('sparse-dimension is not defined for Mamba-2.', {
    faults: [
      {
        message:
          'chooses states by A_log (E, N), and in Mamba-2 A_log is one number for each head, the same for all states',
        where: 'method',
      },
    ],
    hint: 'Use lora on in_proj.B and in_proj.C, and partial on A_log, which has few numbers there.',
  })
}

function parameters(settings: SparseDimensionSettings, any: MambaConfig): ReadonlyMap<string, ParameterSpec> {
  const config = mamba1(any)
  const {inner, layers, states} = config
  if (settings.selection) checkSelection(settings.selection, config)
  const specs = new Map<string, ParameterSpec>()
  for (let layer = 0; layer < layers; layer++) {
    const chosen = settings.selection?.[layer]
    if (!chosen) {
      specs.set(deltaName(layer), zeros([inner, states]))
      continue
    }
    const channels = chosen.channels.length
    specs.set(partName(layer, 'A_log'), zeros([channels, chosen.states[0].length]))
    specs.set(partName(layer, 'x_proj.B'), zeros([states, channels]))
    specs.set(partName(layer, 'x_proj.C'), zeros([states, channels]))
    for (const [name, spec] of placeSpecs(chosen, layer, config)) specs.set(name, spec)
  }
  return new Map([...specs, ...lora.parameters(loraOfSparse(settings), config)])
}

/** Where what is trained belongs: it follows from the choice, and is not trained. */
function placeSpecs(chosen: LayerSelection, layer: number, {inner, states}: Mamba1Config): [string, ParameterSpec][] {
  const remade = ({shape, values}: ParameterValues): ParameterSpec => ({frozen: 'remade', initial: () => values, shape})
  return [
    [channelsName(layer), remade(oneHotChannels(chosen, inner))], // (c, E)
    [statesName(layer), remade(oneHotStates(chosen, states))], // (c, s, N)
  ]
}

function wrap(settings: SparseDimensionSettings, attachment: Attachment, base: Sites): Sites {
  const config = mamba1(attachment.config)
  const value = <T extends tf.Tensor>(name: string): T => attachment.parameters.get(name) as T
  const {selection} = settings
  const sparse: Sites = {
    ...base,
    linear(name, x, terms = []) {
      const layer = layerOf(name, 'x_proj')
      if (layer === null || !selection) return base.linear(name, x, terms)
      const [b, c] = (['x_proj.B', 'x_proj.C'] as const).map((part) => value<tf.Tensor2D>(partName(layer, part))) // 2 × (N, c)
      const own: LowRankTerm = {
        down: value(channelsName(layer)), // (c, E)
        dropped: null,
        from: config.timeStepRank,
        scale: 1,
        to: config.timeStepRank + 2 * config.states,
        up: tf.concat2d([b, c], 0), // (2N, c)
      }
      return base.linear(name, x, [...terms, own])
    },
    parameter(name, plain) {
      const layer = layerOf(name, 'A_log')
      const before = base.parameter(name, plain) // (E, N)
      if (layer === null) return before
      if (!selection) return tf.add(before, value(deltaName(layer)))
      const values = tf.expandDims(value<tf.Tensor2D>(partName(layer, 'A_log')), 2) // (c, s, 1)
      const rows = tf.sum<tf.Tensor2D>(tf.mul(values, value(statesName(layer))), 1) // (c, N)
      return tf.add(before, tf.matMul(value<tf.Tensor2D>(channelsName(layer)), rows, true)) // (E, N)
    },
  }
  return lora.wrap(loraOfSparse(settings), attachment, sparse)
}

/** 3 for 'layers.3.mixer.<part>', with or without 'backbone.' before it. */
function layerOf(name: string, part: string): number | null {
  const [, layer, found] = /^(?:backbone\.)?layers\.(\d+)\.mixer\.(\w+)$/.exec(name) ?? []
  return found === part ? Number(layer) : null
}

function steps(
  settings: SparseDimensionSettings,
  any: MambaConfig,
  values: ReadonlyMap<string, ParameterValues>,
): ReadonlyMap<string, MergeStep> {
  const config = mamba1(any)
  const {inner, states, timeStepRank} = config
  const of = (name: string): Float32Array => values.get(name)?.values ?? new Float32Array()
  const result = new Map(canMerge(lora.merge) ? lora.merge.steps(loraOfSparse(settings), config, values) : [])
  const add = (tensor: string, step: MergeStep): void => {
    const earlier = result.get(tensor)
    result.set(tensor, (weight, base) => {
      earlier?.(weight, base)
      step(weight, base)
    })
  }
  for (let layer = 0; layer < config.layers; layer++) {
    const aLog = checkpointName(mixer(layer), 'A_log')
    const chosen = settings.selection?.[layer]
    if (!chosen) {
      add(aLog, (weight) => of(deltaName(layer)).forEach((change, index) => (weight[index] += change)))
      continue
    }
    add(aLog, addToStates(chosen, states, of(partName(layer, 'A_log'))))
    const xProj = checkpointName(mixer(layer), 'x_proj.weight')
    add(xProj, addToColumns(chosen, timeStepRank, inner, of(partName(layer, 'x_proj.B'))))
    add(xProj, addToColumns(chosen, timeStepRank + states, inner, of(partName(layer, 'x_proj.C'))))
  }
  return result
}

/** A choice of the right size, for what is counted before one is made. */
function lastPhase(settings: SparseDimensionSettings, any: MambaConfig): SparseDimensionSettings {
  if (settings.selection) return settings
  const config = mamba1(any)
  const kept = keptCounts(settings, config)
  const channels = [...Array(kept.channels).keys()]
  const layer: LayerSelection = {channels, states: channels.map(() => [...Array(kept.states).keys()])}
  return {...settings, selection: Array.from({length: config.layers}, () => layer)}
}

export const sparseDimension: Method<SparseDimensionSettings> = {
  merge: {steps},
  name: 'sparse-dimension',
  parameters,
  phases: {
    end: ({selection, warmup_steps: warmup}) => (selection ? null : warmup),
    from: (settings, {selection}) => (selection && !settings.selection ? {...settings, selection} : settings),
    last: lastPhase,
    next(settings, any, values) {
      const config = mamba1(any)
      const deltas = Array.from({length: config.layers}, (_, layer) => values.get(deltaName(layer))?.values)
      return {
        ...settings,
        selection: deltas.map((delta) => selectDimensions(delta ?? new Float32Array(), settings, config)),
      }
    },
  },
  wrap,
}

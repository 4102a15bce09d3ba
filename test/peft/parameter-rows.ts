/** Rows of the adapter contract for the methods on parameters of Mamba-1 and Falcon-Mamba: see contract-rows.ts. */
import {type Mamba1Config} from '../../src/model/config.js'
import {type DeltaScaleSettings} from '../../src/peft/delta-scale-settings.js'
import {type PartialSettings} from '../../src/peft/partial-settings.js'
import {type ProdialSettings} from '../../src/peft/prodial-settings.js'
import {type SparseDimensionSettings} from '../../src/peft/sparse-dimension-settings.js'
import {mamba1Of} from '../support/architectures.js'
import {lora} from '../support/random-adapter.js'
import {type ContractRow} from './contract-rows.js'

export const partial = (...targets: string[]): PartialSettings => ({method: 'partial', targets})

export const deltaScale = (per: DeltaScaleSettings['per']): DeltaScaleSettings => ({method: 'delta-scale', per})

export const prodial = (settings: Partial<ProdialSettings> = {}): ProdialSettings => ({
  alpha: 6,
  blocks: 8,
  dropout: 0,
  method: 'prodial',
  rank: 3,
  targets: ['in_proj', 'out_proj'],
  ...settings,
})

export const sparse = (settings: Partial<SparseDimensionSettings> = {}): SparseDimensionSettings => ({
  alpha: 6,
  dropout: 0.1,
  freeze_channels: 0.9,
  freeze_states: 0.5,
  method: 'sparse-dimension',
  rank: 3,
  targets: ['out_proj'],
  warmup_steps: 2,
  ...settings,
})

/** For two layers */
const SELECTION = [
  {channels: [3, 40], states: [[0, 2, 4], [1, 2, 3]]}, // prettier-ignore
  {channels: [0, 63], states: [[0, 1, 4], [0, 3, 4]]}, // prettier-ignore
]

/** Blocks of in_proj and out_proj, factors of their rows, and a LoRA of rank 3 on both. */
const prodialNumbers = (k: number, {hidden: d, inner: e}: Mamba1Config): number =>
  k * (d / k) ** 2 + 2 * e + k * (e / k) ** 2 + d + 3 * (d + 2 * e) + 3 * (e + d)

const rows: readonly ContractRow<Mamba1Config>[] = [
  {
    name: 'partial on every small tensor',
    settings: [partial('A_log', 'D', 'dt_proj.bias', 'conv1d', 'norm')],
    count: ({convBias, convWidth: k, hidden: d, inner: e, layers, states: n}) =>
      layers * (e * n + e + e + e * k + (convBias ? e : 0) + d),
    merges: 'all',
  },
  {
    name: 'partial on all of the layers',
    settings: [partial('layers.**', 'norm_f')],
    count: ({convBias, convWidth: k, hidden: d, inner: e, layers, projectionBias, states: n, timeStepRank: r}) =>
      layers * (d + 2 * e * d + e * k + (r + 2 * n) * e + e * r + e + e * n + e + d * e) +
      layers * ((projectionBias ? 2 * e + d : 0) + (convBias ? e : 0)) +
      d,
    merges: 'all',
  },
  {name: 'delta-scale per layer', settings: [deltaScale('layer')], count: ({layers}) => layers, merges: 'all'},
  {
    name: 'delta-scale per channel',
    settings: [deltaScale('channel')],
    count: ({inner: e, layers}) => layers * e,
    merges: 'all',
  },
  {
    name: 'prodial',
    settings: [prodial({dropout: 0.2})],
    count: (config) => config.layers * prodialNumbers(8, config),
    merges: 'all',
  },
  {
    name: 'sparse-dimension, warming up',
    settings: [sparse()],
    count: ({hidden: d, inner: e, layers, states: n}) => layers * (e * n + 3 * (e + d)),
    merges: 'all',
  },
  {
    name: 'sparse-dimension with two channels of three states',
    settings: [sparse({selection: SELECTION})],
    count: ({hidden: d, inner: e, layers, states: n}) => layers * (2 * 3 + 2 * n * 2 + 3 * (e + d)),
    merges: 'all',
  },
  {
    name: 'methods on the same parameters, in this order',
    settings: [
      lora({targets: ['in_proj', 'out_proj']}),
      partial('in_proj', 'D', 'out_proj', 'A_log'),
      deltaScale('channel'),
      prodial(),
      partial('layers.0.mixer.*'),
      deltaScale('layer'),
      lora({dropout: 0.1, rank: 2, targets: ['in_proj.x', 'out_proj', 'x_proj.B']}),
    ],
    count: (config) => {
      const {convBias, convWidth: k, hidden: d, inner: e, layers, projectionBias, states: n, timeStepRank: r} = config
      const projections = 2 * e * d + d * e + (projectionBias ? 2 * e + d : 0)
      return (
        layers * 3 * (2 * e + d + (d + e)) +
        layers * (projections + e + e * n) +
        layers * e +
        layers * prodialNumbers(8, config) +
        (projections + e * k + (convBias ? e : 0) + (r + 2 * n) * e + e * r + e + e * n + e) +
        layers +
        layers * 2 * (e + d + (d + e) + (n + e))
      )
    },
    merges: 'all',
  },
  {
    name: 'dora around what changes the same projections',
    settings: [
      partial('out_proj'),
      prodial(),
      deltaScale('channel'),
      lora({dora: true, targets: ['in_proj.x', 'out_proj']}),
    ],
    count: (config) => {
      const {hidden: d, inner: e, layers, projectionBias} = config
      return layers * (d * e + (projectionBias ? d : 0) + prodialNumbers(8, config) + e + 3 * (e + d + (d + e)) + e + d)
    },
    merges: 'all',
  },
]

export const parameterRows = rows.map((row): ContractRow => ({...row, count: (config) => row.count(mamba1Of(config))}))

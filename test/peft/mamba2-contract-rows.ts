/** The rows of the adapter contract for Mamba-2: as contract-rows.ts, for its sites and the shape of its state. */
import {type Mamba2Config} from '../../src/model/mamba2-config.js'
import {mamba2Of} from '../support/architectures.js'
import {lora, STATE} from '../support/random-adapter.js'
import {type ContractRow} from './contract-rows.js'
import {mamba2ParameterRows} from './mamba2-parameter-rows.js'

/** Rows of in_proj, and channels of the convolution. */
const projected = ({groups: g, heads: h, inner: e, states: n}: Mamba2Config): number => 2 * e + 2 * g * n + h
const convolved = ({groups: g, inner: e, states: n}: Mamba2Config): number => e + 2 * g * n

const rows: readonly ContractRow<Mamba2Config>[] = [
  {
    name: 'lora on all projections',
    settings: [lora({rank: 5, targets: ['in_proj', 'out_proj']})],
    count: (config) => config.layers * 5 * (projected(config) + config.hidden + (config.inner + config.hidden)),
    merges: 'all',
  },
  {
    name: 'lora on slices and the convolution',
    settings: [lora({targets: ['in_proj.z', 'in_proj.x', 'in_proj.B', 'in_proj.C', 'in_proj.dt', 'conv1d']})],
    count: (config) =>
      config.layers * 3 * (projected(config) + 5 * config.hidden + (convolved(config) + config.convWidth)),
    merges: 'all',
  },
  {
    name: 'rslora with dropout in one layer',
    settings: [lora({dropout: 0.2, rank: 4, rslora: true, targets: ['layers.1.mixer.*_proj', 'in_proj.dt']})],
    count: (config) =>
      4 * (projected(config) + config.hidden + (config.inner + config.hidden)) +
      4 * config.layers * (config.heads + config.hidden),
    merges: 'all',
  },
  {
    name: 'initial-state',
    settings: [STATE],
    count: (config) =>
      config.layers * (config.heads * config.headSize * config.states + convolved(config) * (config.convWidth - 1)),
    merges: 'not at all',
  },
  {
    name: 'initial-state of low rank',
    settings: [{...STATE, conv: false, rank: 2}],
    count: ({headSize: p, heads: h, layers, states: n}) => layers * h * 2 * (p + n),
    merges: 'not at all',
  },
  {
    name: 'all together',
    settings: [STATE, lora({targets: ['in_proj', 'out_proj']}), lora({rslora: true, targets: ['conv1d', 'in_proj.B']})],
    count: (config) => {
      const {convWidth: k, groups: g, headSize: p, heads: h, hidden: d, inner: e, layers, states: n} = config
      const state = h * p * n + convolved(config) * (k - 1)
      return layers * (state + 3 * (projected(config) + d + (e + d)) + 3 * (convolved(config) + k + (g * n + d)))
    },
    merges: 'partly',
  },
  ...mamba2ParameterRows,
]

export const mamba2ContractRows = rows.map((row): ContractRow => ({
  ...row,
  count: (config) => row.count(mamba2Of(config)),
}))

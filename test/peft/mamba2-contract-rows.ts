/** The rows of the adapter contract for Mamba-2: as contract-rows.ts, for its sites and the shape of its state. */
import {type Mamba2Config} from '../../src/model/mamba2-config.js'
import {mamba2Of} from '../support/architectures.js'
import {lora, moreStates, STATE, stateOffset, vera} from '../support/random-adapter.js'
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
    name: 'dora on projections and the convolution',
    settings: [lora({dora: true, targets: ['in_proj', 'out_proj', 'conv1d'], lora_plus: 4})],
    count: (config) => {
      const {convWidth: k, hidden: d, inner: e, layers} = config
      const [rows, channels] = [projected(config), convolved(config)]
      return layers * (3 * (rows + d + (d + e) + (channels + k)) + rows + d + channels)
    },
    merges: 'all',
  },
  {
    name: 'dora that starts as the principal part, on slices',
    settings: [lora({dora: true, init: 'pissa', targets: ['in_proj.x', 'in_proj.B', 'in_proj.dt', 'conv1d']})],
    count: (config) => {
      const {convWidth: k, groups: g, heads: h, hidden: d, inner: e, layers, states: n} = config
      const channels = convolved(config)
      return layers * (3 * (e + g * n + h + 3 * d + (channels + k)) + e + g * n + h + channels)
    },
    merges: 'all',
  },
  {
    name: 'vera on projections, slices and the convolution',
    settings: [vera({targets: ['in_proj', 'in_proj.x', 'out_proj']}), vera({seed: 5, targets: ['conv1d']})],
    count: (config) => config.layers * (4 * 7 + projected(config) + config.inner + config.hidden + convolved(config)),
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
    name: 'additional-scan',
    settings: [moreStates({states: 6})],
    count: ({convWidth: k, groups: g, hidden: d, layers}) => layers * (2 * g * 6 * d + 2 * g * 6 * (k + 1)),
    merges: 'all',
    size: 0.5,
  },
  {
    name: 'additional-scan twice, with lora between',
    settings: [moreStates({states: 2}), lora({targets: ['in_proj', 'conv1d']}), moreStates({states: 1})],
    count: (config) => {
      const {convWidth: k, groups: g, hidden: d, layers} = config
      return layers * (2 * g * 3 * (d + k + 1) + 3 * (projected(config) + d + (convolved(config) + k)))
    },
    merges: 'all',
  },
  {
    name: 'state-offset h',
    settings: [stateOffset({form: 'h'})],
    count: ({headSize: p, heads: h, layers, states: n}) => layers * h * p * n,
    merges: 'not at all',
  },
  {
    name: 'state-offset h of low rank',
    settings: [stateOffset({form: 'h', rank: 2})],
    count: ({headSize: p, heads: h, layers, states: n}) => layers * h * 2 * (p + n),
    merges: 'not at all',
  },
  {
    name: 'state-offset y',
    settings: [stateOffset({form: 'y'})],
    count: ({inner: e, layers}) => layers * e,
    merges: 'not at all',
  },
  {
    name: 'every method on the state, and lora',
    settings: [stateOffset({form: 'y'}), moreStates({states: 3}), lora({targets: ['in_proj.C']})],
    count: ({convWidth: k, groups: g, hidden: d, inner: e, layers, states: n}) =>
      layers * (e + 2 * g * 3 * (d + k + 1) + 3 * (g * n + d)),
    left: ['state-offset'],
    merges: 'partly',
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

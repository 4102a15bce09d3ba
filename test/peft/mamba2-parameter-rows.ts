/** Rows of the adapter contract for the methods on parameters of Mamba-2: see contract-rows.ts. */
import {type Mamba2Config} from '../../src/model/mamba2-config.js'
import {mamba2Of} from '../support/architectures.js'
import {lora} from '../support/random-adapter.js'
import {type ContractRow} from './contract-rows.js'
import {deltaScale, partial, prodial} from './parameter-rows.js'

const projected = ({groups: g, heads: h, inner: e, states: n}: Mamba2Config): number => 2 * e + 2 * g * n + h
const convolved = ({groups: g, inner: e, states: n}: Mamba2Config): number => e + 2 * g * n

const prodialNumbers = (k: number, config: Mamba2Config): number => {
  const {hidden: d, inner: e} = config
  return k * (d / k) ** 2 + projected(config) + k * (e / k) ** 2 + d + 3 * (d + projected(config)) + 3 * (e + d)
}

const rows: readonly ContractRow<Mamba2Config>[] = [
  {
    name: 'partial on A_log, D and dt_bias',
    settings: [partial('A_log', 'D', 'dt_bias')],
    count: ({heads: h, layers}) => layers * 3 * h,
    merges: 'all',
  },
  {
    name: 'partial on all of the layers',
    settings: [partial('layers.**', 'norm_f')],
    count: (config) => {
      const {convWidth: k, heads: h, hidden: d, inner: e, layers} = config
      return layers * (d + projected(config) * d + convolved(config) * (k + 1) + 3 * h + e + d * e) + d
    },
    merges: 'all',
  },
  {
    name: 'delta-scale per layer',
    settings: [deltaScale('layer')],
    count: ({layers}) => layers,
    merges: 'up to a caveat',
  },
  {
    name: 'prodial',
    settings: [prodial({dropout: 0.2})],
    count: (config) => config.layers * prodialNumbers(8, config),
    merges: 'all',
  },
  {
    name: 'methods on the same parameters, in this order',
    settings: [
      partial('in_proj', 'conv1d', 'mixer.norm'),
      prodial(),
      lora({dropout: 0.1, targets: ['in_proj.dt', 'out_proj']}),
      partial('layers.0.**'),
    ],
    count: (config) => {
      const {convWidth: k, heads: h, hidden: d, inner: e, layers} = config
      const [rows, channels] = [projected(config), convolved(config)]
      return (
        layers * (rows * d + channels * (k + 1) + e) +
        layers * prodialNumbers(8, config) +
        layers * 3 * (h + d + (e + d)) +
        (d + rows * d + channels * (k + 1) + 3 * h + e + d * e)
      )
    },
    merges: 'all',
  },
]

export const mamba2ParameterRows = rows.map((row): ContractRow => ({
  ...row,
  count: (config) => row.count(mamba2Of(config)),
}))

/** The rows of the adapter contract: sets of adapters, how many numbers each trains (counted here by hand), and what merging does. */
import {type Mamba1Config, type MambaConfig} from '../../src/model/config.js'
import {type AdapterSettings} from '../../src/peft/registry.js'
import {mamba1Of} from '../support/architectures.js'
import {lora, moreStates, STATE, stateOffset, vera} from '../support/random-adapter.js'
import {parameterRows} from './parameter-rows.js'

export interface ContractRow<Config extends MambaConfig = MambaConfig> {
  readonly name: string
  readonly settings: readonly AdapterSettings[]
  /** Trained numbers in all. */
  readonly count: (config: Config) => number
  /** 'up to a caveat': within the tolerance of the certificate, and it says what may be missing */
  readonly merges: 'all' | 'up to a caveat' | 'partly' | 'not at all'
  /** Golden models that the method is not defined for */
  readonly refusedBy?: readonly string[]
  /** What stays an adapter of a partly merged model; a first state if left out */
  readonly left?: readonly string[]
  /** How large random values have to be for their effect to be seen; 0.1 if left out */
  readonly size?: number
}

const rows: readonly ContractRow<Mamba1Config>[] = [
  {
    name: 'lora on all projections',
    settings: [lora({rank: 5, targets: ['in_proj', 'x_proj', 'dt_proj', 'out_proj']})],
    count: ({hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * 5 * (2 * e + d + (r + 2 * n + e) + (e + r) + (d + e)),
    merges: 'all',
  },
  {
    name: 'lora on slices and the convolution',
    settings: [lora({targets: ['in_proj.x', 'in_proj.z', 'x_proj.dt', 'x_proj.B', 'x_proj.C', 'conv1d']})],
    count: ({convWidth: k, hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * 3 * (2 * (e + d) + (r + e) + 2 * (n + e) + (e + k)),
    merges: 'all',
  },
  {
    name: 'rslora in one layer',
    settings: [lora({rank: 8, rslora: true, targets: ['layers.1.mixer.*_proj']})],
    count: ({hidden: d, inner: e, states: n, timeStepRank: r}) => 8 * (2 * e + d + (r + 2 * n + e) + (e + r) + (d + e)),
    merges: 'all',
  },
  {
    name: 'lora with dropout',
    settings: [lora({dropout: 0.3, targets: ['in_proj', 'out_proj']})],
    count: ({hidden: d, inner: e, layers}) => layers * 3 * (2 * e + d + (d + e)),
    merges: 'all',
  },
  {
    name: 'several loras on the same sites, with and without dropout',
    settings: [
      lora({rank: 2, targets: ['in_proj', 'conv1d']}),
      lora({dropout: 0.2, rank: 4, targets: ['in_proj', 'in_proj.z']}),
      lora({rslora: true, targets: ['in_proj.z', 'conv1d']}),
    ],
    count: ({convWidth: k, hidden: d, inner: e, layers}) =>
      layers * (2 * (2 * e + d + (e + k)) + 4 * (2 * e + d + (e + d)) + 3 * (e + d + (e + k))),
    merges: 'all',
  },
  {
    name: 'dora on projections, slices and the convolution',
    settings: [
      lora({dora: true, targets: ['in_proj', 'dt_proj', 'out_proj', 'x_proj.B', 'x_proj.C', 'conv1d'], lora_plus: 4}),
    ],
    count: ({convWidth: k, hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * (3 * (2 * e + d + (e + r) + (d + e) + 2 * (n + e) + (e + k)) + (2 * e + e + d + 2 * n + e)),
    merges: 'all',
  },
  {
    name: 'doras on the same rows, beside lora and with dropout',
    settings: [
      lora({dora: true, targets: ['in_proj.x', 'conv1d']}),
      lora({dora: true, dropout: 0.2, rslora: true, targets: ['in_proj', 'in_proj.z']}),
      lora({rank: 2, targets: ['in_proj', 'conv1d'], learning_rate: 5e-3}),
    ],
    count: ({convWidth: k, hidden: d, inner: e, layers}) =>
      layers * (3 * (e + d + (e + k)) + 2 * e + 3 * (2 * e + d + (e + d)) + 3 * e + 2 * (2 * e + d + (e + k))),
    merges: 'all',
  },
  {
    name: 'lora that starts as the principal part',
    settings: [lora({init: 'pissa', targets: ['in_proj', 'x_proj.B', 'dt_proj', 'out_proj', 'conv1d']})],
    count: ({convWidth: k, hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * 3 * (2 * e + d + (n + e) + (e + r) + (d + e) + (e + k)),
    merges: 'all',
  },
  {
    name: 'dora that starts as the principal part, with dropout',
    settings: [lora({dora: true, dropout: 0.1, init: 'pissa', rslora: true, targets: ['in_proj.z', 'out_proj']})],
    count: ({hidden: d, inner: e, layers}) => layers * (3 * (e + d + (d + e)) + e + d),
    merges: 'all',
  },
  {
    name: 'vera',
    settings: [vera({targets: ['in_proj', 'x_proj', 'dt_proj', 'out_proj']})],
    count: ({hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * (4 * 7 + (2 * e + (r + 2 * n) + e + d)),
    merges: 'all',
  },
  {
    name: 'vera on slices and the convolution, beside dora',
    settings: [vera({targets: ['in_proj.x', 'x_proj.*', 'conv1d']}), lora({dora: true, targets: ['in_proj']})],
    count: ({hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * (5 * 7 + (e + r + 2 * n + e) + 3 * (2 * e + d) + 2 * e),
    merges: 'all',
  },
  {
    name: 'initial-state',
    settings: [STATE],
    count: ({convWidth: k, inner: e, layers, states: n}) => layers * e * (n + k - 1),
    merges: 'not at all',
  },
  {
    name: 'initial-state of the scan alone',
    settings: [{...STATE, conv: false}],
    count: ({inner: e, layers, states: n}) => layers * e * n,
    merges: 'not at all',
  },
  {
    name: 'initial-state of the convolution alone',
    settings: [{...STATE, scan: false}],
    count: ({convWidth: k, inner: e, layers}) => layers * e * (k - 1),
    merges: 'not at all',
  },
  {
    name: 'initial-state of low rank',
    settings: [{...STATE, rank: 2}],
    count: ({convWidth: k, inner: e, layers, states: n}) => layers * (2 * (e + n) + e * (k - 1)),
    merges: 'not at all',
  },
  {
    name: 'initial-state with a scale',
    settings: [{...STATE, scale: 0.65}],
    count: ({convWidth: k, inner: e, layers, states: n}) => layers * e * (n + k - 1),
    merges: 'not at all',
  },
  {
    name: 'additional-scan',
    settings: [moreStates({states: 6})],
    count: ({inner: e, layers}) => layers * 3 * 6 * e,
    merges: 'all',
    refusedBy: ['falcon-mamba'],
  },
  {
    name: 'additional-scan twice, with a constant A and the last one, and lora between',
    settings: [
      moreStates({first_a: 'last', states: 2}),
      lora({targets: ['x_proj.B', 'x_proj.C', 'in_proj']}),
      moreStates({first_a: 's4d', states: 1}),
    ],
    count: ({hidden: d, inner: e, layers, states: n}) => layers * (3 * 3 * e + 3 * (2 * (n + e) + 2 * e + d)),
    merges: 'all',
    refusedBy: ['falcon-mamba'],
  },
  {
    name: 'state-offset h',
    settings: [stateOffset({form: 'h'})],
    count: ({inner: e, layers, states: n}) => layers * e * n,
    merges: 'not at all',
  },
  {
    name: 'state-offset h of low rank',
    settings: [stateOffset({form: 'h', rank: 2})],
    count: ({inner: e, layers, states: n}) => layers * 2 * (e + n),
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
    settings: [stateOffset({form: 'y'}), moreStates({first_a: 2, states: 3}), lora({targets: ['x_proj']})],
    count: ({inner: e, layers, states: n, timeStepRank: r}) => layers * (e + 3 * 3 * e + 3 * (r + 2 * n + e)),
    left: ['state-offset'],
    merges: 'partly',
    refusedBy: ['falcon-mamba'],
  },
  {
    name: 'all together',
    settings: [
      STATE,
      lora({targets: ['in_proj', 'out_proj']}),
      lora({dropout: 0.1, rslora: true, targets: ['x_proj.*']}),
      lora({rslora: true, targets: ['conv1d']}),
    ],
    count: ({convWidth: k, hidden: d, inner: e, layers, states: n, timeStepRank: r}) =>
      layers * (e * (n + k - 1) + 3 * (2 * e + d + (d + e)) + 3 * (r + e + 2 * (n + e) + (e + k))),
    merges: 'partly',
  },
  ...parameterRows,
]

export const contractRows = rows.map((row): ContractRow => ({...row, count: (config) => row.count(mamba1Of(config))}))

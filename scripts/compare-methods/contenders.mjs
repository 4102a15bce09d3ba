// The methods that are compared: how the adapters of each grow with one number, the learning rates that are tried, and the
// method's name in the table. A method takes part in a budget if some size of it comes close enough.

const SMALL = [1e-3, 3e-3, 1e-2]
const LARGE = [3e-3, 1e-2, 3e-2]

const lora =
  (targets, more = {}) =>
  (rank) => [{alpha: 2 * rank, method: 'lora', rank, targets, ...more}]
const upTo = (most) => Array.from({length: most}, (_, index) => index + 1)
const once = (adapters) => ({build: () => adapters, sizes: [1]})

/** `build(size)` gives the entries of a recipe; `sizes` are tried for each budget. */
export const CONTENDERS = [
  {build: lora(['in_proj.x']), name: 'lora on in_proj.x', rates: SMALL, sizes: upTo(24)},
  {build: lora(['in_proj', 'out_proj']), name: 'lora on in_proj, out_proj', rates: SMALL, sizes: upTo(24)},
  {
    build: lora(['x_proj', 'dt_proj']),
    families: ['mamba'],
    name: 'lora on x_proj, dt_proj (Δ, B, C)',
    rates: SMALL,
    sizes: upTo(24),
  },
  {
    build: lora(['in_proj.dt', 'in_proj.B', 'in_proj.C']),
    families: ['mamba2'],
    name: 'lora on in_proj.dt, .B, .C (Δ, B, C)',
    rates: SMALL,
    sizes: upTo(24),
  },
  {build: lora(['in_proj', 'out_proj'], {rslora: true}), name: 'rslora', rates: SMALL, sizes: upTo(24)},
  {build: lora(['in_proj', 'out_proj'], {dora: true}), name: 'dora', rates: SMALL, sizes: upTo(24)},
  {build: lora(['in_proj', 'out_proj'], {init: 'pissa'}), name: 'pissa', rates: [3e-4, 1e-3, 3e-3], sizes: upTo(24)},
  {
    build: lora(['in_proj', 'out_proj'], {lora_plus: 16}),
    name: 'lora_plus 16',
    rates: [3e-4, 1e-3, 3e-3],
    sizes: upTo(24),
  },
  {
    build: (rank) => [{method: 'vera', rank, targets: ['in_proj', 'out_proj']}],
    name: 'vera',
    rates: LARGE,
    sizes: [16, 64, 256, 1024],
  },
  {
    build: (rank) => [{conv: false, method: 'initial-state', rank}],
    name: 'initial-state, with a rank',
    rates: LARGE,
    sizes: upTo(16),
  },
  {...once([{conv: false, method: 'initial-state'}]), name: 'initial-state, whole', rates: LARGE},
  {build: (states) => [{method: 'additional-scan', states}], name: 'additional-scan', rates: SMALL, sizes: upTo(24)},
  {
    build: (rank) => [{form: 'h', method: 'state-offset', rank}],
    name: 'state-offset h, with a rank',
    rates: SMALL,
    sizes: upTo(16),
  },
  {...once([{form: 'y', method: 'state-offset'}]), name: 'state-offset y', rates: LARGE},
  {...once([{method: 'partial', targets: ['A_log']}]), name: 'partial: A_log', rates: LARGE},
  {...once([{method: 'partial', targets: ['D', 'norm']}]), name: 'partial: D and norms', rates: LARGE},
  {...once([{method: 'partial', targets: ['conv1d']}]), name: 'partial: conv1d', rates: SMALL},
  {
    ...once([{method: 'partial', targets: ['conv1d.bias', 'dt_proj.bias']}]),
    families: ['mamba'],
    name: 'partial: biases (BitFit)',
    rates: LARGE,
  },
  {
    ...once([{method: 'partial', targets: ['conv1d.bias', 'dt_bias']}]),
    families: ['mamba2'],
    name: 'partial: biases (BitFit)',
    rates: LARGE,
  },
  {
    ...once([{method: 'delta-scale', per: 'channel'}]),
    families: ['mamba'],
    name: 'delta-scale per channel',
    rates: LARGE,
  },
  {
    build: (rank) => [{alpha: 2 * rank, dropout: 0, method: 'prodial', rank}],
    name: 'prodial',
    rates: SMALL,
    sizes: upTo(8),
  },
  {
    build: (rank) => [{alpha: 2 * rank, dropout: 0, method: 'sparse-dimension', rank, warmup_steps: 20}],
    families: ['mamba'],
    name: 'sparse-dimension',
    rates: SMALL,
    sizes: upTo(24),
  },
  {
    build: (rank) => [
      {alpha: 2 * rank, method: 'lora', rank, targets: ['in_proj', 'out_proj']},
      {conv: false, method: 'initial-state', rank},
    ],
    name: 'lora and initial-state',
    rates: SMALL,
    sizes: upTo(16),
  },
]

/** The upper line, outside of budgets. */
export const FULL = {
  ...once([{method: 'partial', targets: ['*']}]),
  name: 'all weights (partial: *)',
  rates: [1e-4, 3e-4, 1e-3],
}

/** Shares of the model's parameters, and how far from it a method may be to take part. */
export const BUDGETS = [0.001, 0.005, 0.02]
export const NEAR = [0.55, 1.7]

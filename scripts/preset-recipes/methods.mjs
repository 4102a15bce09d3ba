// The methods of the preset recipes: what each trains, in the lines of a recipe, with the reason for every number.
import {whole} from './figures.mjs'
import {entry} from './yaml-lines.mjs'

/** Rank of LoRA on the projections, of LoRA on Δ, B and C, and of a Mamba-2 head's first state */
const [RANK, RANK_OF_PARTS, RANK_OF_STATE] = [16, 8, 4]

export const METHODS = [
  {
    name: 'lora',
    title: ({isMamba2, preset}) => `LoRA on ${isMamba2 ? 'in_proj' : 'in_proj and x_proj'} of ${preset}`,
    about: ({isMamba2}) =>
      isMamba2
        ? 'The projection that makes all inputs of the scan, z, x, B, C and Δ: targets and rank of the comparison with PyTorch in docs/performance.md.'
        : 'The two projections that make the inputs of the scan: targets and rank of the comparison with PyTorch in docs/performance.md.',
    settings: ({isMamba2}) => ({
      method: 'lora',
      targets: isMamba2 ? ['in_proj'] : ['in_proj', 'x_proj'],
      rank: RANK,
      alpha: 2 * RANK,
    }),
    reasons: ({width}) => ({
      method: 'low-rank updates of frozen matrices; merged, the model has the same size and speed',
      rank: `1/${width / RANK} of the model's width, the one of docs/performance.md; higher learns more and takes more memory`,
      alpha: '2 x rank: the update counts twice',
    }),
    rate: lowRankRate,
    decay: 'low rank is restraint enough',
  },
  {
    name: 'ssm',
    title: ({preset}) => `Low-rank updates of Δ, B and C of ${preset}`,
    about: () =>
      'How long the state remembers, what enters it and what is read. How words are read and written stays as it is.',
    settings: ({isMamba2}) => ({
      method: 'lora',
      targets: isMamba2 ? ['in_proj.dt', 'in_proj.B', 'in_proj.C'] : ['dt_proj', 'x_proj.dt', 'x_proj.B', 'x_proj.C'],
      rank: RANK_OF_PARTS,
      alpha: 2 * RANK_OF_PARTS,
    }),
    reasons: ({isMamba2}) => ({
      method: isMamba2
        ? 'low-rank updates of the rows of in_proj that make Δ, B and C'
        : 'low-rank updates of dt_proj, and of the rows of x_proj that make Δ, B and C',
      rank: isMamba2
        ? 'less than on whole projections: B and C are 128 rows a group, Δ one a head'
        : 'half of the 16 rows that B and C have each; more could not say much more',
      alpha: '2 x rank: the update counts twice',
    }),
    rate: lowRankRate,
    decay: 'low rank is restraint enough',
  },
  {
    name: 'state',
    title: ({preset}) => `A learned first state of ${preset}`,
    about: () =>
      'What prefix tokens become, without the tokens. The weights stay as they are, so one model serves many such states.',
    settings: ({isMamba2}) => ({
      method: 'initial-state',
      scan: true,
      conv: true,
      ...(isMamba2 && {rank: RANK_OF_STATE}),
    }),
    reasons: ({isMamba2, width}) => ({
      method: 'what scan and convolution begin with; it cannot be merged, and is kept beside the model',
      rank: `of each head's 64 x 128 state, so ${(64 + 128) * RANK_OF_STATE} numbers a head instead of 8,192`,
      scan: isMamba2 ? 'the matrix of each head' : `${whole(2 * width)} channels x 16 states a layer, trained whole`,
      conv: 'the three inputs before the first, which the convolution sees',
    }),
    rate: () => ['2.0e-3', 'the upper end of the 2e-4 to 2e-3 of state tuning (arXiv 2503.03499)'],
    decay: 'decay would pull the learned first state back to zero',
  },
]

/** The lines of `adapters`. */
export function adapterLines(method, model) {
  const settings = method.settings(model)
  const reasons = method.reasons(model)
  return Object.entries(settings).map(([key, value], index) => {
    const text = Array.isArray(value) ? `[${value.join(', ')}]` : value
    return entry(`${index === 0 ? '  - ' : '    '}${key}: ${text}`, reasons[key])
  })
}

function lowRankRate({rate}) {
  return [rate, `rate x width is about 0.8 in all presets, as in the usual 2e-4 for a width of 4,096`]
}

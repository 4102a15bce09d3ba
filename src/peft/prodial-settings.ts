/** What a recipe says of ProDiaL. Source: Ham et al., Parameter Efficient Mamba Tuning via Projector-targeted Diagonal-centric Linear Transformation, arXiv 2411.15224. */
import {z} from 'zod'
import {ownLearningRate} from './own-learning-rate.js'

export const prodialSettings = z.strictObject({
  method: z
    .literal('prodial')
    .describe(
      'ProDiaL: a trained block-diagonal matrix before a projection, factors of its rows after it, and a LoRA.',
    ),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .default(['in_proj', 'out_proj'])
    .describe('Whole projections (in_proj, out_proj), or globs over full names.'),
  blocks: z
    .int()
    .min(1)
    .default(64)
    .describe(
      "Blocks of the block-diagonal matrix; a divisor of the projection's inputs. More blocks are smaller ones.",
    ),
  rank: z.int().min(1).max(4096).default(8).describe('Inner dimension of the LoRA.'),
  alpha: z.number().positive().default(8).describe('The LoRA is scaled by alpha / rank.'),
  dropout: z
    .number()
    .min(0)
    .max(0.99)
    .default(0.1)
    .describe('Share of the inputs of the LoRA that are zeroed while training.'),
  ...ownLearningRate,
})

export type ProdialSettings = z.infer<typeof prodialSettings>

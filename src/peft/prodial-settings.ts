/** What a recipe says of ProDiaL. Source: Ham et al., Parameter Efficient Mamba Tuning via Projector-targeted Diagonal-centric Linear Transformation, arXiv 2411.15224. */
import {z} from 'zod'
import {innerLora} from './inner-lora-settings.js'
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
  ...innerLora,
  ...ownLearningRate,
})

export type ProdialSettings = z.infer<typeof prodialSettings>

/** What a recipe says of one VeRA adapter. Source: Kopiczko et al., VeRA, arXiv 2310.11454. */
import {z} from 'zod'
import {ownLearningRate} from './own-learning-rate.js'

export const veraSettings = z.strictObject({
  method: z
    .literal('vera')
    .describe('Low-rank updates from random matrices that all layers share; only their scales are trained.'),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      'Projections (in_proj, x_proj, dt_proj, out_proj, conv1d), slices of them (x_proj.B), embeddings, lm_head, or globs over full names.',
    ),
  rank: z
    .int()
    .min(1)
    .max(4096)
    .default(256)
    .describe('Inner dimension of the update. High, because each costs one number a site.'),
  dropout: z
    .number()
    .min(0)
    .max(0.99)
    .default(0)
    .describe('Share of the inputs of the update that are zeroed while training.'),
  first_scale: z
    .number()
    .positive()
    .default(0.1)
    .describe('First value of the scales between the two random matrices; those behind them start as 0.'),
  seed: z
    .int()
    .min(0)
    .max(0xff_ff_ff_ff)
    .default(0)
    .describe("Seed of the random matrices, which are made from it again whenever the adapter is used. Not the run's."),
  ...ownLearningRate,
})

export type VeraSettings = z.infer<typeof veraSettings>

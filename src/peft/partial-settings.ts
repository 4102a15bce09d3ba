/** What a recipe says of training tensors of the model itself. Source: docs/methods.md. */
import {z} from 'zod'
import {ownLearningRate} from './own-learning-rate.js'

export const partialSettings = z.strictObject({
  method: z
    .literal('partial')
    .describe('Some tensors of the model itself, each with a trained sum beside it: W + Δ, Δ of the shape of W.'),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      "Tensors (A_log, D, conv1d.weight, dt_proj.bias), modules with all of their tensors (conv1d, norm, in_proj, embeddings), or globs over full names; '*' is every tensor of the model.",
    ),
  ...ownLearningRate,
})

export type PartialSettings = z.infer<typeof partialSettings>

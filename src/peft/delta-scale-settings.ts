/** What a recipe says of trained factors of the step size Δ. Source: docs/methods.md. */
import {z} from 'zod'
import {ownLearningRate} from './own-learning-rate.js'

export const deltaScaleSettings = z.strictObject({
  method: z
    .literal('delta-scale')
    .describe('Factors of the step size, Δ ← s Δ: how fast the state forgets and fills, and nothing else.'),
  per: z
    .enum(['layer', 'channel'])
    .default('layer')
    .describe('One factor for each layer, or one for each of the E channels of each layer (Mamba-1 and Falcon-Mamba).'),
  ...ownLearningRate,
})

export type DeltaScaleSettings = z.infer<typeof deltaScaleSettings>

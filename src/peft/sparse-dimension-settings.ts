/** What a recipe says of sparse dimension tuning. Source: Galim et al., Parameter-Efficient Fine-Tuning of State Space Models, arXiv 2410.09016. */
import {z} from 'zod'
import {innerLora} from './inner-lora-settings.js'
import {ownLearningRate} from './own-learning-rate.js'

const share = z.number().min(0).lt(1)
const indices = z.array(z.int().min(0)).min(1)

const layerSelection = z.strictObject({
  channels: indices.describe('Channels of this layer that are trained, ascending.'),
  states: z.array(indices).describe('For each of these channels the states whose A_log is trained, ascending.'),
})

export const sparseDimensionSettings = z.strictObject({
  method: z
    .literal('sparse-dimension')
    .describe('SDT: A_log, B and C of few channels, which a warm-up chooses, and a LoRA. Mamba-1 and Falcon-Mamba.'),
  warmup_steps: z
    .int()
    .min(1)
    .default(500)
    .describe(
      'Optimizer steps that train all of A_log with the LoRA; then channels and states are chosen, and training begins anew.',
    ),
  freeze_channels: share
    .default(0.99)
    .describe('Share of the channels of a layer that stay as they are; one is trained at least.'),
  freeze_states: share
    .default(0.75)
    .describe('Share of the states of a chosen channel whose A_log stays as it is; one is trained at least.'),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .default(['out_proj'])
    .describe('Projections, slices of them or globs that the LoRA is attached to.'),
  ...innerLora,
  selection: z
    .array(layerSelection)
    .min(1)
    .optional()
    .describe(
      'What is trained, layer by layer, as the adapter.json of an earlier run has it; left out: chosen by a warm-up.',
    ),
  ...ownLearningRate,
})

export type SparseDimensionSettings = z.infer<typeof sparseDimensionSettings>

export type LayerSelection = z.infer<typeof layerSelection>

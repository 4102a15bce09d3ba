/** What a recipe says of one LoRA adapter. Source: Hu et al., LoRA, arXiv 2106.09685; rsLoRA: Kalajdzievski, arXiv 2312.03732. */
import {z} from 'zod'

export const loraSettings = z.strictObject({
  method: z.literal('lora').describe('Low-rank updates of projections: ΔW = scale · B A.'),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      'Projections (in_proj, x_proj, dt_proj, out_proj, conv1d), slices of them (x_proj.B), embeddings, lm_head, or globs over full names.',
    ),
  rank: z.int().min(1).max(4096).default(16).describe('Inner dimension of the update.'),
  alpha: z
    .number()
    .positive()
    .default(32)
    .describe('The update is scaled by alpha / rank, or alpha / √rank with rslora.'),
  dropout: z
    .number()
    .min(0)
    .max(0.99)
    .default(0)
    .describe('Share of the inputs of the update that are zeroed while training.'),
  rslora: z.boolean().default(false).describe('Scale by alpha / √rank, which keeps large ranks learning.'),
})

export type LoraSettings = z.infer<typeof loraSettings>

/** s, the factor of B A. */
export function loraScale({alpha, rank, rslora}: Pick<LoraSettings, 'alpha' | 'rank' | 'rslora'>): number {
  return alpha / (rslora ? Math.sqrt(rank) : rank)
}

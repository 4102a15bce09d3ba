/** What a recipe says of the LoRA that is a part of another method, with the defaults of its papers. */
import {z} from 'zod'

export const innerLora = {
  rank: z.int().min(1).max(4096).default(8).describe('Inner dimension of the LoRA.'),
  alpha: z.number().positive().default(8).describe('The LoRA is scaled by alpha / rank.'),
  dropout: z
    .number()
    .min(0)
    .max(0.99)
    .default(0.1)
    .describe('Share of the inputs of the LoRA that are zeroed while training.'),
}

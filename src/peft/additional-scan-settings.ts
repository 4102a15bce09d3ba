/** What a recipe says of additional states. Source: Yoshimura et al., MambaPEFT, arXiv 2411.03855, section 4. */
import {z} from 'zod'

export const additionalScanSettings = z.strictObject({
  method: z
    .literal('additional-scan')
    .describe('More states for every channel, with B, C and A of their own; merges into a model with a larger state.'),
  states: z
    .int()
    .min(1)
    .max(256)
    .default(6)
    .describe('States that are added to each channel; in Mamba-2 to each channel of each head.'),
  first_a: z
    .union([z.enum(['first', 'last', 's4d']), z.number().positive()])
    .default('first')
    .describe(
      'How fast new states forget at the start: as the first or the last one of the channel, as N+1, N+2, … (s4d), or this −A. Mamba-1 only; in Mamba-2 they share the A of their head.',
    ),
})

export type AdditionalScanSettings = z.infer<typeof additionalScanSettings>

/** What a recipe says of an offset of the state. Source: Kang et al., state-offset tuning, arXiv 2503.03499, section 4. */
import {z} from 'zod'
import {type NoMerge} from './method.js'

export const stateOffsetSettings = z
  .strictObject({
    method: z
      .literal('state-offset')
      .describe('A learned constant beside the state at every step, which does not fade: y += C h′, or y += y′.'),
    form: z
      .enum(['h', 'y'])
      .default('h')
      .describe('h: an offset of the state, (E, N) per layer, read through C; y: one of what is read, (E) per layer.'),
    rank: z
      .int()
      .min(1)
      .max(4096)
      .optional()
      .describe('Learn h′ as a product of this inner dimension, head by head; whole if left out.'),
  })
  .refine(({form, rank}) => rank === undefined || form === 'h', {
    error: 'rank is that of h′, and form is y; leave one of them out',
    path: ['rank'],
  })

export type StateOffsetSettings = z.infer<typeof stateOffsetSettings>

export const noMergeOfStateOffset: NoMerge = {
  instead: 'Keep it attached with --adapter; it costs one small product a layer.',
  reason: 'no weight of a Mamba checkpoint adds a constant between scan and gate',
}

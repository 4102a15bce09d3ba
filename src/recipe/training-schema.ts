/** Keys of the recipe on what ends a run and what is written on the way. */
import {z} from 'zod'

/** Beside epochs and max_steps; whichever is reached first ends the run. */
export const limits = {
  max_tokens: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'Tokens after which to stop even if epochs are left, padding not counted: at the first step that reaches them; null: no limit.',
    ),
  max_minutes: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe(
      'Minutes of training, evaluations included, after which to stop even if epochs are left; the schedule then goes by the share of them that is over. How many steps that is depends on the machine, so such a run cannot be repeated byte by byte; null: no limit.',
    ),
}

export const earlyStopping = z.strictObject({
  patience: z.int().min(1).default(3).describe('Evaluations in a row without an improvement that end the run.'),
  min_delta: z
    .number()
    .min(0)
    .default(0)
    .describe('How much lower than the best a validation loss must be to count as an improvement, in nats per token.'),
})

export const samples = z.strictObject({
  prompts: z.array(z.string().min(1)).min(1).describe('Texts to continue.'),
  max_new_tokens: z.int().min(1).default(48).describe('Longest continuation, in tokens.'),
  temperature: z
    .number()
    .min(0)
    .default(0)
    .describe(
      '0 always takes the most probable token; above, tokens are sampled, at each evaluation with the same seed.',
    ),
})

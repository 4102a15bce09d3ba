/**
 * What is known of tensors that an adapter of Hugging Face PEFT carries whole: its modules_to_save and trained biases. No
 * recipe asks for them; they are read, attached, merged and written again.
 */
import {z} from 'zod'

export const fullValuesSettings = z.strictObject({
  method: z.literal('full-values').describe('Tensors that stand in for those of the checkpoint.'),
  tensors: z.array(z.string().min(1)).min(1).describe('Names in the checkpoint, such as lm_head.weight.'),
})

export type FullValuesSettings = z.infer<typeof fullValuesSettings>

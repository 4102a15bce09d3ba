/** The key that every method's settings have: a learning rate of its own. */
import {z} from 'zod'

export const ownLearningRate = {
  learning_rate: z
    .number()
    .positive()
    .optional()
    .describe('Highest step size of this adapter, on the same schedule; that of train.optimizer if left out.'),
}

/** The keys of `data` in a recipe that say what rows are, how they are written as text, and what of it is trained. */
import {z} from 'zod'

import {CONTAINERS, LOSS_PARTS, OVERFLOWS, ROW_FORMATS} from '../data/dataset.js'
import {KNOWN_KEYS} from '../data/row-formats.js'

function column(key: string): z.ZodOptional<z.ZodString> {
  return z.string().min(1).optional().describe(`Name of the column that holds what we call ${key}; absent: ${key}.`)
}

export const rowKeys = {
  format: z
    .enum(['auto', ...ROW_FORMATS])
    .default('auto')
    .describe(
      'What a row is: {prompt, completion}; {text}, or a piece of a plain text file; {input_ids, labels}; {messages}; {conversations}; {instruction, input, output}; {segments}. auto tells it from the first row.',
    ),
  container: z
    .enum(['auto', ...CONTAINERS])
    .default('auto')
    .describe('How rows lie in the files; auto tells it from the first bytes and the name of each.'),
  columns: z
    .strictObject(Object.fromEntries(KNOWN_KEYS.map((key) => [key, column(key)])))
    .default({})
    .describe('Columns with other names than ours: {prompt: question} reads the prompt from the column question.'),
  template: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "How turns are written as text: chatml, alpaca, plain, tokenizer (its own chat template), or a file of Jinja. null: the tokenizer's own, or else alpaca for rows of Alpaca and plain for conversations; prompt and completion are joined as they are.",
    ),
  loss_on: z
    .union([z.enum(['auto', ...LOSS_PARTS]), z.array(z.string().min(1)).min(1)])
    .default('auto')
    .describe(
      "Which tokens the loss counts: those of the completion, all, those labelled in the rows, the assistant's turns, its last one, or the turns of a list of roles. auto follows the format.",
    ),
  overflow: z
    .enum(OVERFLOWS)
    .default('truncate_right')
    .describe(
      'What becomes of rows that are longer than max_length: cut on the right or on the left, left out, split into several, or an error. All are counted.',
    ),
  train_on_eos: z
    .boolean()
    .default(true)
    .describe(
      'Whether end-of-sequence tokens within what is trained are trained too. Labels of rows of tokens stay as they are.',
    ),
}

/**
 * The recipe: every key that the YAML file may hold, its type, its unit, its default and its meaning. This is the only place that lists them;
 * the JSON schema, the messages about unknown keys and the reference in the docs are all derived from it.
 * Names are the file's own (snake_case), so a `Recipe` in code reads like the file. Paths are kept as written: relative to the current directory.
 */
import {z} from 'zod'

import {methodSchemas} from '../peft/method-settings.js'
import {rowKeys} from './row-keys.js'
import {earlyStopping, limits, samples} from './training-schema.js'
import {isLikeShare, parseShare, wrongShare} from './validation-share.js'

const path = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'), {error: 'a path cannot hold a NUL character'})

const files = z.union([path, z.array(path).min(1)])

const filesOrShare = z.union([
  path.refine((text) => !isLikeShare(text) || parseShare(text) !== null, {
    error: ({input}) => wrongShare(String(input)),
  }),
  z.array(path.refine((text) => !isLikeShare(text), {error: 'a share stands alone, not in a list of files'})).min(1),
])

/** A number below 1 is a share, from 1 on it counts steps; JSON schema can say this, so editors see it too. */
function shareOrSteps(number: z.ZodNumber, description: string): z.ZodNumber {
  return number
    .refine((value) => value < 1 || Number.isInteger(value), {
      error: ({input}) => `expected a share below 1 or a whole number of steps, got ${String(input)}`,
    })
    .meta({anyOf: [{exclusiveMaximum: 1}, {multipleOf: 1}], description})
}

const model = z.strictObject({
  base: path.describe(
    'The pretrained model: a directory, relative to the current one, or a name on the Hugging Face hub, owner/name or owner/name@revision.',
  ),
  tokenizer: path
    .nullable()
    .default(null)
    .describe(
      "Directory or name on the hub of another tokenizer; null: the model's own, or that of GPT-NeoX for a model of the hub that has none.",
    ),
  dtype: z
    .enum(['auto', 'f32', 'f16'])
    .default('auto')
    .describe(
      'How frozen weights are stored on the GPU; auto takes f16 where the GPU has it. Device cpu computes in f32 whatever is written here, and adapters, scan and loss are f32 everywhere.',
    ),
  stabilising_norm: z
    .boolean()
    .default(false)
    .describe(
      'Put Δ, B and C of every Mamba-1 layer under a norm without weights, as Falcon-Mamba has it, for checkpoints that do not stay finite. The model then answers otherwise, so that training has to make up for it; the adapter says so, and merging writes a Falcon-Mamba model. Nothing changes where the model has the norm.',
    ),
})

const data = z.strictObject({
  train: files.describe(
    'Training file or list of files (.jsonl, .json, .csv, .tsv, .parquet, .txt, also with .gz), directories of them, or data sets of the hub as hub://owner/name; relative to the current directory.',
  ),
  validation: filesOrShare
    .nullable()
    .default(null)
    .describe(
      'Validation file or list of files, relative to the current directory; or a share such as 5%: so many of the training rows, always the same ones, are held out of training. null: nothing is evaluated.',
    ),
  ...rowKeys,
  max_length: z
    .int()
    .min(2)
    .default(128)
    .describe(
      'Longest sequence, in tokens. What becomes of longer rows is for overflow to say; plain text files are divided into pieces of this length.',
    ),
  append_eos: z
    .boolean()
    .default(true)
    .describe(
      'End every row, and every plain text file, with the end-of-sequence token, so that the model learns to stop. Rows of tokens stay as they are.',
    ),
  shuffle: z.boolean().default(true).describe('Visit the training rows in a new seeded order in each epoch.'),
  packing: z
    .boolean()
    .default(false)
    .describe(
      'Several training rows one behind the other in one of max_length tokens, each from its own first state. It changes no result of a row, saves padding, and puts more rows into a step: batch_size counts the packed ones.',
    ),
  carry_state: z
    .boolean()
    .default(false)
    .describe(
      'Rows and files longer than max_length are not cut but read in pieces of it, step after step in the same row of the batch; each piece begins with the state that the one before it left.',
    ),
})

const beta = z.number().min(0).lt(1)

const optimizer = z.strictObject({
  name: z.enum(['adamw']).default('adamw').describe('The optimizer: AdamW, with weight decay apart from the gradient.'),
  learning_rate: z.number().positive().default(1e-3).describe('Highest step size; the schedule multiplies it.'),
  betas: z
    .tuple([beta, beta])
    .default([0.9, 0.999])
    .describe('Share of the running mean of the gradient, and of its square, that is kept at each step.'),
  epsilon: z
    .number()
    .positive()
    .default(1e-8)
    .describe('Added to the root of the mean square, so that nothing is divided by zero.'),
  weight_decay: z
    .number()
    .min(0)
    .default(0)
    .describe('Each step shrinks the trained weights by the learning rate times this.'),
})

const schedule = z.strictObject({
  name: z
    .enum(['constant', 'linear', 'cosine', 'wsd'])
    .default('cosine')
    .describe(
      'How the learning rate goes on after the warm-up: stays, or falls along a line or half a cosine to min_ratio of itself; wsd stays and falls along a line at the end.',
    ),
  warmup: shareOrSteps(
    z.number().min(0),
    'Steps over which the learning rate rises from 0: below 1 a share of all steps, from 1 on a whole number of optimizer steps.',
  ).default(0.03),
  min_ratio: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Learning rate at the end, as a share of the highest; constant does not fall.'),
  decay: shareOrSteps(
    z.number().min(0),
    'With wsd, the steps at the end over which the learning rate falls: below 1 a share of all steps, from 1 on a whole number of optimizer steps.',
  ).default(0.2),
})

const train = z.strictObject({
  epochs: z.number().positive().default(1).describe('Passes over the training rows; may be a fraction.'),
  max_steps: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Optimizer steps after which to stop even if epochs are left; null: no limit.'),
  ...limits,
  batch_size: z.int().min(1).default(8).describe('Rows computed at once. Higher takes more memory.'),
  gradient_accumulation: z
    .int()
    .min(1)
    .default(1)
    .describe('Batches per optimizer step. Loss is weighted by supervised tokens over all of them.'),
  tokens_per_step: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'Tokens per optimizer step, padding not counted: as many batches as come nearest to it, at least one. Instead of gradient_accumulation; null: that says how many.',
    ),
  checkpointing: z
    .enum(['none', 'block', 'auto'])
    .default('auto')
    .describe(
      'How activations reach the backward pass. none: all are kept; block: only what goes into each layer is kept and the rest computed again, which takes a third more time and a fraction of the memory; auto: block where keeping all would not fit.',
    ),
  optimizer: optimizer.prefault({}).describe('The rule that turns gradients into steps.'),
  schedule: schedule.prefault({}).describe('The learning rate over the run.'),
  clip_norm: z
    .number()
    .positive()
    .nullable()
    .default(1)
    .describe('Longest global norm of the gradient; longer ones are scaled down to it. null: no clipping.'),
  on_nonfinite: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe(
      'What to do with a step whose loss or gradient is not finite. stop: end the run; skip: leave the adapters as they are and go on with the next rows.',
    ),
  max_skips: z
    .int()
    .min(1)
    .default(10)
    .describe('With on_nonfinite: skip, the steps of a run that may be skipped; one more ends it.'),
  early_stopping: earlyStopping
    .nullable()
    .default(null)
    .describe('End the run when the validation loss no longer falls; null: never.'),
  keep: z
    .enum(['auto', 'best', 'last'])
    .default('auto')
    .describe(
      'Which values the adapter has in the end. best: those of the evaluation with the lowest validation loss; last: those after the last step; auto: best with early_stopping, else last.',
    ),
})

const checkpoints = z.strictObject({
  every: z
    .int()
    .min(1)
    .nullable()
    .default(100)
    .describe('Optimizer steps between checkpoints; null: only when the run stops or ends.'),
  keep: z
    .int()
    .min(1)
    .default(2)
    .describe('Checkpoints kept, the newest ones. With two, a damaged one costs no more than the steps between them.'),
})

const evaluation = z.strictObject({
  every: shareOrSteps(
    z.number().positive(),
    'How often the validation rows are evaluated: below 1 a fraction of an epoch, from 1 on a whole number of optimizer steps. 1 and 1.0 are the same number in YAML: after every step.',
  ).default(0.25),
  at_start: z
    .boolean()
    .default(true)
    .describe('Evaluate before the first step too, so that there is a loss to compare with.'),
  samples: samples
    .nullable()
    .default(null)
    .describe('Texts that the model writes at each evaluation, into samples.jsonl of the run; null: none.'),
})

const logging = z.strictObject({
  every: z
    .int()
    .min(1)
    .default(10)
    .describe(
      'Optimizer steps between two gauges in metrics.jsonl: gradient norm by group of adapter tensors, and memory. The first and the last step have one too.',
    ),
  report: z
    .boolean()
    .default(true)
    .describe('Write report.html, one page with the curves of the run, when train or resume has finished.'),
  tensorboard: z
    .boolean()
    .default(false)
    .describe('Write an event file for TensorBoard, in the directory tensorboard of the run.'),
})

export const recipeSchema = z
  .strictObject({
    version: z.literal(1).describe('Version of the recipe format.'),
    seed: z
      .int()
      .min(0)
      .max(0xff_ff_ff_ff)
      .default(42)
      .describe('Seed of every random choice: the same recipe and seed repeat the run.'),
    output_dir: path
      .default('runs/out')
      .describe('New directory for adapter, metrics and resolved recipe, relative to the current directory.'),
    model: model.describe('The pretrained model.'),
    adapters: z
      .array(z.discriminatedUnion('method', methodSchemas))
      .min(1)
      .describe('What is trained: one or more adapters, all at the same time.'),
    init_adapter: path
      .nullable()
      .default(null)
      .describe(
        "Directory of a saved adapter to start from, ours or PEFT's, relative to the current directory; null: fresh.",
      ),
    data: data.describe('The rows to learn from.'),
    train: train.prefault({}).describe('How long, how much at once, and by which rule.'),
    eval: evaluation.prefault({}).describe('When the validation rows are evaluated.'),
    checkpoints: checkpoints
      .prefault({})
      .describe('What a run that was stopped or killed goes on from, with mambatune resume.'),
    logging: logging.prefault({}).describe('What a run writes down besides losses.'),
  })
  .describe('What to fine-tune, on which data and how.')

/** A recipe with every value filled in. */
export type Recipe = z.output<typeof recipeSchema>

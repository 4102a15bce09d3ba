/**
 * The lines that `--events` writes, one JSON object each, as a schema: what programs that follow a run may rely on. A line's
 * `v` changes when a field loses its meaning; new events and new fields may come without that, so readers pass over what
 * they do not know.
 */
import {z} from 'zod'

export const EVENTS_VERSION = 1

const count = z.int().min(0)
const step = count.describe('Optimizer steps done')
const elapsed = z.number().min(0).describe('Seconds since training began, evaluations included')
const loss = z.number().describe('Mean over supervised tokens, in nats')

const head = {
  v: z.literal(EVENTS_VERSION),
  time: z.iso.datetime().describe('When the line was written, UTC'),
}

const validation = z.looseObject({loss, perplexity: z.number().nullable()}).nullable()

export const eventLine = z
  .discriminatedUnion('event', [
    z.looseObject({
      ...head,
      event: z.literal('start'),
      command: z.enum(['train', 'resume']),
      version: z.string().describe('Of mambatune'),
      run: z.string().describe('Output directory'),
    }),
    z.looseObject({...head, event: z.literal('stage'), text: z.string().describe('Lasts until the next event')}),
    z.looseObject({...head, event: z.literal('note'), text: z.string()}),
    z.looseObject({
      ...head,
      event: z.literal('plan'),
      done: count.describe('Steps done by a run that this one goes on with'),
      steps: count.describe('Optimizer steps of the whole run'),
      total: count.describe('Frozen numbers'),
      trainable: count.describe('Trained numbers'),
    }),
    z.looseObject({
      ...head,
      event: z.literal('step'),
      step,
      epoch: z.number(),
      loss,
      loss_average: z.number().describe('Exponential average of the losses so far'),
      learning_rate: z.number(),
      grad_norm: z.number().describe('Global norm before clipping'),
      tokens: count.describe('Of this step, padding not counted'),
      supervised_tokens: count,
      tokens_per_second: z.number().nullable(),
      elapsed_s: elapsed,
      eta_s: z.number().min(0).nullable().describe('Seconds that are left; null while unknown'),
      percent: z.number().min(0).max(100),
    }),
    z.looseObject({
      ...head,
      event: z.literal('gauge'),
      step,
      grad_norms: z
        .record(z.string(), z.number())
        .describe('Norm of the gradient before clipping by adapter entry and target, over all layers'),
      memory_bytes: z.number().nullable().describe('Of the GPU where the run is on one, else of the process'),
    }),
    z.looseObject({...head, event: z.literal('evaluating'), done: count.describe('Validation rows'), total: count}),
    z.looseObject({
      ...head,
      event: z.literal('eval'),
      step,
      loss,
      perplexity: z.number().nullable().describe('null: too large for a number'),
      tokens: count,
      supervised_tokens: count,
      elapsed_s: elapsed,
    }),
    z.looseObject({
      ...head,
      event: z.literal('skip'),
      step,
      reason: z.string().describe('What was not finite'),
      rows: z.array(z.string()),
      skipped: count,
    }),
    z.looseObject({
      ...head,
      event: z.literal('spike'),
      step,
      loss,
      mean: z.number(),
      deviation: z.number(),
    }),
    z.looseObject({
      ...head,
      event: z.literal('sample'),
      step,
      prompt: z.string(),
      text: z.string().describe('What the model wrote when it was given the prompt'),
    }),
    z.looseObject({
      ...head,
      event: z.literal('early_stop'),
      step,
      best_step: count.describe('The step of the lowest validation loss'),
      best_loss: loss,
    }),
    z.looseObject({
      ...head,
      event: z.literal('phase'),
      step,
      methods: z.array(z.string()).describe('Those that have chosen what they train from here on'),
      trainable: count,
      elapsed_s: elapsed,
    }),
    z.looseObject({...head, event: z.literal('checkpoint'), step, file: z.string()}),
    z.looseObject({
      ...head,
      event: z.literal('end'),
      run: z.string(),
      adapter: z.string(),
      steps: count,
      loss,
      validation_before: validation,
      validation_after: validation,
      elapsed_s: elapsed,
    }),
    z.looseObject({
      ...head,
      event: z.literal('error'),
      code: z.string().describe('Such as E_INTERRUPTED; docs/errors.md has them all'),
      exit: z.int().describe('The exit code of the program'),
      message: z.string(),
      hint: z.string().nullable(),
      faults: z.array(z.looseObject({message: z.string(), where: z.string()})),
    }),
  ])
  .describe('One line of what mambatune train and resume write with --events.')

export function eventsJsonSchema(): Record<string, unknown> {
  const {$schema, ...rest} = z.toJSONSchema(eventLine, {target: 'draft-7'})
  return {$schema, title: 'mambatune events', ...rest}
}

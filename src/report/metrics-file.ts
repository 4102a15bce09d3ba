/**
 * Reads metrics.jsonl, and samples.jsonl beside it, one JSON object a line. A run that is going on, or was killed, may end in half a line, which is
 * left out; events that are not known are passed over.
 */
import {readFile} from 'node:fs/promises'
import {z} from 'zod'
import {type Fault, FileError} from '../errors.js'

/** Too large for JSON is written as null; what an earlier version did not write is null too. */
const number = z.number().nullable().default(null)

const step = z.object({
  elapsed_s: z.number(),
  event: z.literal('step'),
  grad_norm: number,
  learning_rate: number,
  loss: z.number(),
  step: z.number(),
  tokens_per_second: number,
  supervised_tokens: z.number(),
  tokens: z.number(),
})

const evaluation = z.object({
  elapsed_s: z.number(),
  event: z.literal('eval'),
  loss: z.number(),
  /** Too large for JSON is written as null. */
  perplexity: z.number().nullable(),
  step: z.number(),
})

const gauge = z.object({
  event: z.literal('gauge'),
  grad_norms: z.record(z.string(), z.number().nullable()),
  memory_bytes: number,
  step: z.number(),
})

const plan = z.object({event: z.literal('plan'), steps: z.number(), total: z.number(), trainable: z.number()})

/** What the model wrote when it was asked during training */
const sample = z.object({
  event: z.literal('sample'),
  prompt: z.string().default(''),
  step: z.number(),
  text: z.string(),
})

const skip = z.object({
  event: z.literal('skip'),
  reason: z.string(),
  rows: z.array(z.string()),
  skipped: z.number(),
  step: z.number(),
})

const spike = z.object({
  deviation: z.number(),
  event: z.literal('spike'),
  loss: z.number(),
  mean: z.number(),
  step: z.number(),
})

const known = z.discriminatedUnion('event', [step, evaluation, gauge, plan, sample, skip, spike])
export type MetricsLine = z.infer<typeof known>

const KNOWN: ReadonlySet<unknown> = new Set(known.options.map(({shape}) => shape.event.value))

export type StepLine = z.infer<typeof step>
export type EvaluationLine = z.infer<typeof evaluation>
export type GaugeLine = z.infer<typeof gauge>
export type SampleLine = z.infer<typeof sample>

export interface Metrics {
  readonly steps: readonly StepLine[]
  readonly evaluations: readonly EvaluationLine[]
  readonly gauges: readonly GaugeLine[]
  readonly samples: readonly SampleLine[]
  /** Steps that the run was to have, trained and frozen numbers; null in files of earlier versions */
  readonly plan: z.infer<typeof plan> | null
}

/** Nothing at all if there is no such file. Errors: FileError with every line that cannot be read. */
export async function readMetrics(file: string): Promise<Metrics> {
  const complete = (await readText(file)).split('\n').slice(0, -1)
  const faults: Fault[] = []
  const events = complete.flatMap((line, index) => {
    const event = parseLine(line)
    if (typeof event !== 'string') return event
    faults.push({message: event, where: `${file}:${index + 1}`})
    return []
  })
  if (faults.length > 0) {
    throw new FileError(`The metrics in ${file} are damaged.`, {
      faults: faults.slice(0, 20),
      hint: 'The adapter of the run can be inspected by itself: mambatune inspect RUN/adapter',
    })
  }
  return {
    evaluations: events.filter((event) => event.event === 'eval'),
    gauges: events.filter((event) => event.event === 'gauge'),
    plan: events.find((event) => event.event === 'plan') ?? null,
    samples: events.filter((event) => event.event === 'sample'),
    steps: events.filter((event) => event.event === 'step'),
  }
}

/** The event in a list, an empty list for one that is not known, or what is wrong with it. */
export function parseLine(line: string): MetricsLine[] | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    return `is not JSON: ${(error as SyntaxError).message}`
  }
  if (typeof value !== 'object' || value === null || !('event' in value)) return 'expected an object with an event'
  if (!KNOWN.has(value.event)) return []
  const {data, error} = known.safeParse(value)
  return data ? [data] : error.issues.map(({message, path}) => `${path.join('.')}: ${message}`).join('; ')
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return ''
    throw new FileError(`${file} cannot be read (${String(code)}).`, {cause: error})
  }
}

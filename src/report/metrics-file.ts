/**
 * Reads metrics.jsonl, one JSON object a line. A run that is going on, or was killed, may end in half a line, which is
 * left out; events that are not known are passed over.
 */
import {readFile} from 'node:fs/promises'
import {z} from 'zod'
import {type Fault, FileError} from '../errors.js'

const step = z.object({
  elapsed_s: z.number(),
  event: z.literal('step'),
  loss: z.number(),
  step: z.number(),
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

const known = z.discriminatedUnion('event', [step, evaluation])

export interface Metrics {
  readonly steps: readonly z.infer<typeof step>[]
  readonly evaluations: readonly z.infer<typeof evaluation>[]
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
    steps: events.filter((event) => event.event === 'step'),
  }
}

/** The event in a list, an empty list for one that is not known, or what is wrong with it. */
function parseLine(line: string): z.infer<typeof known>[] | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    return `is not JSON: ${(error as SyntaxError).message}`
  }
  if (typeof value !== 'object' || value === null || !('event' in value)) return 'expected an object with an event'
  if (value.event !== 'step' && value.event !== 'eval') return []
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

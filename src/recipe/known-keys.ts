/**
 * What the schema knows at a path: which keys may stand there, what a key means, and where a key that stands in the wrong place belongs.
 * Where the schema leaves a choice (one adapter method or another), the value decides, and if it does not, all choices count.
 */
import {z} from 'zod'

import {nearestName} from '../nearest-name.js'
import {dotted, type Path, valueAt} from './paths.js'

type Schema = z.core.$ZodType

/** Names that other tools use for the same thing and that are too far off to be found by their letters. */
const NAMES_ELSEWHERE: Readonly<Record<string, string>> = {
  eps: 'epsilon',
  grad_accum: 'gradient_accumulation',
  lora_alpha: 'alpha',
  lora_dropout: 'dropout',
  lr: 'learning_rate',
  max_grad_norm: 'clip_norm',
  max_seq_length: 'max_length',
  num_train_epochs: 'epochs',
  per_device_train_batch_size: 'batch_size',
  r: 'rank',
  target_modules: 'targets',
  val: 'validation',
  warmup_ratio: 'warmup',
  warmup_steps: 'warmup',
}

/** The key that was probably meant by an unknown one, as a full path; undefined if nothing is near. */
export function suggestKey(root: Schema, path: Path, name: string, value: unknown): string | undefined {
  const here = keysAt(root, path, value)
  const sibling = nearestName(name, here)
  if (sibling !== undefined) return dotted([...path, sibling])

  const meant = Object.hasOwn(NAMES_ELSEWHERE, name) ? NAMES_ELSEWHERE[name] : name
  if (here.includes(meant)) return dotted([...path, meant])
  const known = allPaths(root).filter((full) => full.endsWith(`.${meant}`) || full === meant)
  // What a run has once is meant sooner than what each adapter may have of its own.
  return known.find((full) => !full.includes('.N.')) ?? known[0]
}

/** Keys that may stand in the mapping at `path`. */
export function keysAt(root: Schema, path: Path, value: unknown): string[] {
  return [
    ...new Set(
      schemasAt(root, path, value).flatMap((schema) =>
        schema instanceof z.ZodObject ? Object.keys(schema.shape) : [],
      ),
    ),
  ]
}

/** What the key at `path` means, if the schema says so. */
export function meaningAt(root: Schema, path: Path, value: unknown): string | undefined {
  const name = path.at(-1)
  if (name === undefined) return undefined
  for (const schema of schemasAt(root, path.slice(0, -1), value)) {
    const child = childOf(schema, name)
    if (child instanceof z.ZodType && child.description !== undefined) return child.description
  }

  return undefined
}

/** What is missing when the key at `path` is: the required keys inside it, as deep as they go, or itself. */
export function requiredAt(root: Schema, path: Path, value: unknown): Path[] {
  const [schema, ...others] = schemasAt(root, path, value)
  if (!(schema instanceof z.ZodObject) || others.length > 0) return [path]
  const names = Object.keys(schema.shape).filter(
    (name) => !z.safeParse(schema.shape[name] as Schema, undefined).success,
  )
  return names.length === 0 ? [path] : names.flatMap((name) => requiredAt(root, [...path, name], value))
}

function schemasAt(root: Schema, path: Path, value: unknown): Schema[] {
  let schemas = choices(root, value)
  let current = value
  for (const name of path) {
    current = valueAt(current, [name])
    schemas = schemas.flatMap((schema) => {
      const child = childOf(schema, name)
      return child === undefined ? [] : choices(child, current)
    })
  }

  return schemas
}

function childOf(schema: Schema, name: PropertyKey): Schema | undefined {
  if (schema instanceof z.ZodObject) {
    return Object.hasOwn(schema.shape, name) ? (schema.shape as Record<PropertyKey, Schema>)[name] : undefined
  }
  if (schema instanceof z.ZodArray) return schema.element
  return undefined
}

/** Without defaults and null, and one per method that the value may be of. */
function choices(schema: Schema, value: unknown): Schema[] {
  const wrapped =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodOptional
  if (wrapped) return choices(schema.unwrap(), value)
  if (!(schema instanceof z.ZodUnion)) return [schema]
  const options = schema.options.flatMap((option) => choices(option, value))
  const matching = options.filter((option) => hasMethodOf(option, value))
  return matching.length > 0 ? matching : options
}

function hasMethodOf(schema: Schema, value: unknown): boolean {
  const method = childOf(schema, 'method')
  return method instanceof z.ZodLiteral && method.safeParse(valueAt(value, ['method'])).success
}

/** Every path of the schema; `N` stands for the index of a list. */
function allPaths(schema: Schema, path: Path = []): string[] {
  return choices(schema, undefined).flatMap((choice) => {
    if (choice instanceof z.ZodArray) return allPaths(choice.element, [...path, 'N'])
    if (!(choice instanceof z.ZodObject)) return []
    return Object.entries(choice.shape as Record<string, Schema>).flatMap(([name, child]) => [
      dotted([...path, name]),
      ...allPaths(child, [...path, name]),
    ])
  })
}

/**
 * What a checkpoint of a run says besides its tensors: how far the run is, and what it was made with, so that a run is not
 * continued with something else. Tensors are the adapters' `value.<name>` and the optimizer's `m.<name>` and `v.<name>`;
 * those that are not trained are `frozen.<name>`. Where the best evaluation's values are kept they are `best.<name>`, and
 * where rows go on with what the step before left, that is `carried.<kind>.<layer>`.
 */
import {z} from 'zod'
import {type LogPosition} from '../checkpoint/append-log.js'
import {type CheckpointContent, type CheckpointTensor} from '../checkpoint/training-checkpoint.js'
import {type Fault, FileError} from '../errors.js'
import {type AdapterSettings, methodSchemas} from '../peft/method-settings.js'
import {type ParameterValues} from '../peft/method.js'
import {type CarriedValues} from '../train/carried-state.js'
import {type OptimizerState} from '../train/optimizer.js'
import {type Progress} from '../train/progress.js'
import {type Recipe, recipeSchema} from './schema.js'

/** What a run's numbers come from, besides its recipe. */
export interface RunOrigin {
  /** Of the base model's weights */
  readonly base: string
  /** Of the training rows as tokens */
  readonly rows: string
  readonly device: {readonly name: string; readonly precision: string | null; readonly description: string}
}

export interface RunState {
  readonly recipe: Recipe
  readonly origin: RunOrigin
  readonly progress: Progress
  /** Steps of the whole run */
  readonly steps: number
  readonly metrics: LogPosition
  readonly optimizer: OptimizerState
  /** As they are now: the recipe's, and what a phase has chosen */
  readonly adapters: readonly AdapterSettings[]
  readonly values: ReadonlyMap<string, ParameterValues>
  /** Those of the best evaluation; null where they are not wanted, or before the first. */
  readonly bestValues: ReadonlyMap<string, ParameterValues> | null
  readonly carried: CarriedValues | null
}

const count = z.int().min(0)

const evaluation = z
  .object({loss: z.number(), supervised_tokens: count, tokens: count})
  // Too large for JSON is null there.
  .transform((known) => ({...known, perplexity: Math.exp(known.loss)}))

const last = z.strictObject({
  elapsed_s: z.number(),
  epoch: z.number(),
  event: z.literal('step'),
  grad_norm: z.number(),
  learning_rate: z.number(),
  loss: z.number(),
  step: count,
  supervised_tokens: count,
  tokens: count,
  tokens_per_second: z
    .number()
    .nullable()
    .transform((value) => value ?? Infinity),
})

const schema = z.strictObject({
  adapters: z.array(z.discriminatedUnion('method', methodSchemas)).optional(), // checkpoints of version 0.1.0 have none
  metrics: z.strictObject({bytes: count, sha256: z.string()}),
  optimizer_steps: count,
  origin: z.strictObject({
    base: z.string(),
    device: z.strictObject({description: z.string(), name: z.string(), precision: z.string().nullable()}),
    rows: z.string(),
  }),
  progress: z.strictObject({
    after: evaluation.nullable(),
    before: evaluation.nullable(),
    best: z.strictObject({loss: z.number(), step: count}).nullable().default(null),
    elapsed_s: z.number().min(0),
    evaluated: z.boolean(),
    last: last.nullable(),
    losses: z.strictObject({count, mean: z.number(), variance: z.number()}),
    phase: count.default(0),
    reference: z.number().nullable().default(null),
    skipped: count,
    step: z.int().min(1),
    waited: count.default(0),
  }),
  recipe: recipeSchema,
  steps: z.int().min(1),
})

const CARRIED = 'carried.'

export function toContent({bestValues, carried, optimizer, values, ...state}: RunState): CheckpointContent {
  const tensors = new Map<string, CheckpointTensor>()
  for (const [name, {shape, values: numbers}] of values) {
    const moments = optimizer.moments.get(name)
    if (!moments) {
      tensors.set(`frozen.${name}`, {shape, values: numbers})
      continue
    }
    tensors.set(`value.${name}`, {shape, values: numbers})
    tensors.set(`m.${name}`, {shape, values: moments.m})
    tensors.set(`v.${name}`, {shape, values: moments.v})
    const best = bestValues?.get(name)
    if (best) tensors.set(`best.${name}`, best)
  }
  for (const [name, tensor] of carried ?? []) tensors.set(`${CARRIED}${name}`, tensor)
  return {state: {...state, optimizer_steps: optimizer.steps}, tensors}
}

/** Errors: FileError with everything that is missing or wrong; `file` names it. */
export function fromContent({state, tensors}: CheckpointContent, file: string): RunState {
  const {data, error} = schema.safeParse(state)
  const {bestValues, carried, faults, moments, values} = split(tensors)
  faults.push(...(error?.issues ?? []).map(({message, path}) => ({message, where: path.map(String).join('.')})))
  if (!data || faults.length > 0) {
    throw new FileError(`The checkpoint ${file} does not hold the state of a run.`, {faults: faults.slice(0, 20)})
  }
  const {optimizer_steps: steps, ...rest} = data
  return {
    ...rest,
    adapters: data.adapters ?? data.recipe.adapters,
    bestValues,
    carried: carried.size > 0 ? carried : null,
    optimizer: {moments, steps},
    values,
  }
}

function split(tensors: CheckpointContent['tensors']): {
  values: Map<string, ParameterValues>
  bestValues: Map<string, ParameterValues> | null
  carried: Map<string, ParameterValues>
  moments: Map<string, {m: Float32Array; v: Float32Array}>
  faults: Fault[]
} {
  const faults: Fault[] = []
  const values = new Map<string, ParameterValues>()
  const moments = new Map<string, {m: Float32Array; v: Float32Array}>()
  const best = new Map<string, ParameterValues>()
  const carried = new Map<string, ParameterValues>()
  let frozen = 0
  for (const [full, tensor] of tensors) {
    if (full.startsWith(CARRIED)) carried.set(full.slice(CARRIED.length), tensor)
    if (full.startsWith('frozen.')) {
      values.set(full.slice('frozen.'.length), tensor)
      frozen++
    }
    if (!full.startsWith('value.')) continue
    const name = full.slice('value.'.length)
    const [m, v] = ['m', 'v'].map((kind) => tensors.get(`${kind}.${name}`))
    if (m?.values.length !== tensor.values.length || v?.values.length !== tensor.values.length) {
      faults.push({message: 'has no moments of its size', where: name})
      continue
    }
    values.set(name, tensor)
    const kept = tensors.get(`best.${name}`)
    if (kept) best.set(name, kept)
    moments.set(name, {m: m.values, v: v.values})
  }
  const trained = values.size - frozen
  const expected = (best.size === 0 ? 3 : 4) * trained + frozen + carried.size
  if (tensors.size !== expected && faults.length === 0) {
    faults.push({message: `${tensors.size} tensors; expected ${expected} for ${values.size} values`, where: ''})
  }
  return {bestValues: best.size === 0 ? null : best, carried, faults, moments, values}
}

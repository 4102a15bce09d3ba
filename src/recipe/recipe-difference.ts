/** What differs between a run and what is to go on with it, as far as it changes the numbers that come out. */
import {type Fault} from '../errors.js'
import {dotted, type Path} from './paths.js'
import {type RunOrigin} from './run-state.js'
import {type Recipe} from './schema.js'

/**
 * Keys that change no trained number: where things lie (weights and rows are compared themselves), what is kept and
 * reported, how activations reach the backward pass, and what happens to steps that change nothing anyway.
 */
const NEUTRAL = [
  /^output_dir$/,
  /^model\.base$/,
  /^data\.(train|validation)(\.\d+)?$/,
  /^eval\./,
  /^checkpoints\./,
  /^logging\./,
  /^train\.(checkpointing|on_nonfinite|max_skips)$/,
]

/** What may change besides when a run that has ended goes on: it is then one of more steps, from the optimizer's state. */
const FREE_AFTER_END = /^train\.(epochs|max_steps|max_tokens|max_minutes|keep|early_stopping(\..*)?|schedule\..*)$/

export function recipeDifference(run: Recipe, now: Recipe, {hasEnded = false} = {}): Fault[] {
  const [before, after] = [run, now].map((recipe) => new Map(leaves(recipe, [])))
  const keys = [...new Set([...before.keys(), ...after.keys()])]
  return keys
    .filter((key) => before.get(key) !== after.get(key) && !isNeutral(key) && !(hasEnded && FREE_AFTER_END.test(key)))
    .map((where) => ({message: difference(before.get(where), after.get(where)), where}))
}

export function originDifference(run: RunOrigin, now: RunOrigin): Fault[] {
  const parts = [
    {after: now.base, before: run.base, where: 'weights of model.base'},
    {after: now.rows, before: run.rows, where: 'rows of data.train'},
    {after: deviceText(now), before: deviceText(run), where: 'device'},
  ]
  return parts
    .filter(({after, before}) => after !== before)
    .map(({after, before, where}) => ({message: difference(before, after), where}))
}

function deviceText({device: {name, precision}}: RunOrigin): string {
  return precision === null ? name : `${name}, ${precision}`
}

function difference(before: string | undefined, after: string | undefined): string {
  return `${before ?? 'absent'} in the run, ${after ?? 'absent'} now`
}

/** Whether a key changes no trained number. */
export function isNeutral(key: string): boolean {
  return NEUTRAL.some((neutral) => neutral.test(key))
}

/** Every value that holds no others, as JSON by its dotted key. */
export function leaves(value: unknown, path: Path): [string, string][] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    return [[dotted(path), JSON.stringify(value) ?? 'absent']]
  }
  return Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]))
}

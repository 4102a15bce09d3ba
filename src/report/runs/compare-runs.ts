/** Runs side by side: the values of their recipes that differ, and their results. */
import {leaves} from '../../recipe/recipe-difference.js'
import {type Recipe} from '../../recipe/schema.js'
import {type RunRecord} from './show-run.js'

export interface RunComparison {
  readonly runs: readonly string[]
  /** Recipe keys with a value for each run; null where a run's recipe has no such key */
  readonly recipe: readonly {readonly key: string; readonly values: readonly unknown[]}[]
  /** Results with a value for each run; null where a run has none */
  readonly metrics: readonly {readonly name: MetricName; readonly values: readonly (number | string | null)[]}[]
}

/** They differ in every two runs, and say nothing of what was trained. */
const PLACES: ReadonlySet<string> = new Set(['output_dir'])

const METRICS = {
  status: ({status}) => status,
  steps: ({steps}) => steps.at(-1)?.step ?? 0,
  first_loss: ({steps}) => steps.at(0)?.loss ?? null,
  last_loss: ({steps}) => steps.at(-1)?.loss ?? null,
  first_validation: ({evaluations}) => evaluations.at(0)?.loss ?? null,
  best_validation: ({best_validation: best}) => best?.loss ?? null,
  best_validation_step: ({best_validation: best}) => best?.step ?? null,
  last_validation: ({evaluations}) => evaluations.at(-1)?.loss ?? null,
  trainable_parameters: ({trainable_parameters: trainable}) => trainable,
  tokens: ({steps}) => steps.reduce((sum, {tokens}) => sum + tokens, 0),
  elapsed_s: ({elapsed_s: elapsed}) => elapsed,
  tokens_per_second: throughput,
  most_memory_bytes: mostMemory,
  base: ({hashes}) => hashes.base,
  data: ({hashes}) => hashes.data,
} satisfies Record<string, (run: RunRecord) => number | string | null>

export type MetricName = keyof typeof METRICS

export function compareRuns(runs: readonly RunRecord[]): RunComparison {
  const names = Object.keys(METRICS) as MetricName[]
  return {
    runs: runs.map(({path}) => path),
    recipe: recipeRows(runs.map(({recipe}) => recipe)),
    metrics: names.map((name) => ({name, values: runs.map((run) => METRICS[name](run))})),
  }
}

function recipeRows(recipes: readonly (Recipe | null)[]): RunComparison['recipe'] {
  const each = recipes.map((recipe) => new Map(recipe === null ? [] : leaves(recipe, [])))
  const keys = [...new Set(each.flatMap((values) => [...values.keys()]))].filter((key) => !PLACES.has(key))
  return keys
    .filter((key) => new Set(each.map((values) => values.get(key))).size > 1)
    .map((key) => ({
      key,
      values: each.map((values): unknown => {
        const text = values.get(key)
        return text === undefined ? null : JSON.parse(text)
      }),
    }))
}

/** The middle of all steps: compiling shaders and evaluations between steps would distort a mean. */
export function throughput({steps}: Pick<RunRecord, 'steps'>): number | null {
  const rates = steps.flatMap(({tokens_per_second: rate}) => rate ?? []).sort((a, b) => a - b)
  return rates[Math.floor(rates.length / 2)] ?? null
}

export function mostMemory({gauges}: Pick<RunRecord, 'gauges'>): number | null {
  const bytes = gauges.flatMap(({memory_bytes: value}) => value ?? [])
  return bytes.length > 0 ? bytes.reduce((most, value) => Math.max(most, value)) : null
}

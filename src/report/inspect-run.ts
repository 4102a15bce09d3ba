/** What `mambatune train` has left in a directory: its recipe, how the loss went, and the adapter. */
import path from 'node:path'
import {isAdapterDirectory} from '../checkpoint/adapter-directory.js'
import {isFile} from '../checkpoint/weight-files.js'
import {loadRecipe} from '../recipe/load.js'
import {type Recipe} from '../recipe/schema.js'
import {type AdapterInspection, inspectAdapter} from './inspect-adapter.js'
import {readMetrics} from './metrics-file.js'

const METRICS = 'metrics.jsonl'
const RECIPE = 'recipe.resolved.yaml'

export interface RunInspection {
  readonly kind: 'run'
  readonly path: string
  /** Every value; null if the file is missing */
  readonly recipe: Recipe | null
  /** Optimizer steps done */
  readonly steps: number
  /** Training loss of the first and of the last step, in nats */
  readonly first_loss: number | null
  readonly last_loss: number | null
  readonly validation: readonly {readonly step: number; readonly loss: number; readonly perplexity: number | null}[]
  /** Of all steps, padding not counted */
  readonly tokens: number
  readonly supervised_tokens: number
  /** Seconds */
  readonly elapsed_s: number
  /** null while the run goes on, or if it ended without one */
  readonly adapter: AdapterInspection | null
}

export async function isRun(directory: string): Promise<boolean> {
  return (await isFile(path.join(directory, METRICS))) || (await isFile(path.join(directory, RECIPE)))
}

/** Errors: FileError and RecipeError for damaged files. */
export async function inspectRun(directory: string): Promise<RunInspection> {
  const recipe = path.join(directory, RECIPE)
  const adapter = path.join(directory, 'adapter')
  const {evaluations, steps} = await readMetrics(path.join(directory, METRICS))
  return {
    kind: 'run',
    path: directory,
    recipe: (await isFile(recipe)) ? (await loadRecipe(recipe)).recipe : null,
    steps: steps.length,
    first_loss: steps.at(0)?.loss ?? null,
    last_loss: steps.at(-1)?.loss ?? null,
    validation: evaluations.map(({loss, perplexity, step}) => ({step, loss, perplexity})),
    tokens: steps.reduce((sum, {tokens}) => sum + tokens, 0),
    supervised_tokens: steps.reduce((sum, {supervised_tokens: own}) => sum + own, 0),
    elapsed_s: Math.max(0, ...[steps.at(-1), evaluations.at(-1)].map((last) => last?.elapsed_s ?? 0)),
    adapter: (await isAdapterDirectory(adapter)) ? await inspectAdapter(adapter) : null,
  }
}

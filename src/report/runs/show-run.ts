/** One run in full: its recipe, what it was made from, how it went, and what it has left. */
import {type Processes} from '../../checkpoint/directory-lock.js'
import {FileError} from '../../errors.js'
import {loadRecipe} from '../../recipe/load.js'
import {runFiles} from '../../recipe/run-files.js'
import {type Recipe} from '../../recipe/schema.js'
import {isAdapterDirectory} from '../../checkpoint/adapter-directory.js'
import {isFile} from '../../checkpoint/weight-files.js'
import {inspectAdapter} from '../inspect-adapter.js'
import {isRun} from '../inspect-run.js'
import {type EvaluationLine, type GaugeLine, readMetrics, type SampleLine, type StepLine} from '../metrics-file.js'
import {bestOf} from './list-runs.js'
import {type RunStatus, standingOf} from './run-status.js'

export interface RunRecord {
  readonly path: string
  readonly status: RunStatus
  readonly recipe: Recipe | null
  readonly steps: readonly StepLine[]
  readonly evaluations: readonly EvaluationLine[]
  readonly gauges: readonly GaugeLine[]
  readonly samples: readonly SampleLine[]
  readonly planned_steps: number | null
  readonly best_validation: {readonly loss: number; readonly step: number} | null
  /** Seconds */
  readonly elapsed_s: number
  /** Steps left out because something was not finite */
  readonly skipped: number
  readonly device: string | null
  readonly trainable_parameters: number | null
  readonly frozen_parameters: number | null
  readonly hashes: RunHashes
  readonly checkpoints: readonly {readonly step: number; readonly file: string}[]
  /** Directory of the adapter; null while there is none */
  readonly adapter: string | null
}

export interface RunHashes {
  /** Fingerprint of the base model's weights */
  readonly base: string | null
  /** SHA-256 of the training rows as tokens */
  readonly data: string | null
  /** SHA-256 of the adapter's tensor file */
  readonly adapter: string | null
}

/** Errors: FileError for a directory that holds no run, and those of damaged files. */
export async function readRun(run: string, processes: Processes): Promise<RunRecord> {
  if (!(await isRun(run))) {
    throw new FileError(`${run} holds no run: metrics.jsonl and recipe.resolved.yaml are missing.`, {
      hint: 'List the runs that there are: mambatune runs list',
    })
  }
  const files = runFiles(run)
  const {checkpoints, newest, status} = await standingOf(run, processes)
  const {evaluations, gauges, plan, steps} = await readMetrics(files.metrics)
  const {samples} = await readMetrics(files.samples)
  const adapter = (await isAdapterDirectory(files.adapter)) ? await inspectAdapter(files.adapter) : null
  return {
    path: run,
    status,
    recipe: (await isFile(files.recipe)) ? (await loadRecipe(files.recipe)).recipe : null,
    steps,
    evaluations,
    gauges,
    samples,
    planned_steps: newest?.steps ?? plan?.steps ?? null,
    best_validation: bestOf(evaluations),
    elapsed_s: Math.max(0, steps.at(-1)?.elapsed_s ?? 0, evaluations.at(-1)?.elapsed_s ?? 0),
    skipped: newest?.progress.skipped ?? 0,
    device: newest?.origin.device.description ?? null,
    trainable_parameters: adapter?.trainable_parameters ?? plan?.trainable ?? null,
    frozen_parameters: plan?.total ?? adapter?.base.parameters ?? null,
    hashes: {
      adapter: adapter ? `sha256:${adapter.tensor_file.sha256}` : null,
      base: newest?.origin.base ?? adapter?.base.fingerprint ?? null,
      data: newest?.origin.rows ?? null,
    },
    checkpoints: checkpoints.map(({file, step}) => ({file, step})),
    adapter: adapter?.path ?? null,
  }
}

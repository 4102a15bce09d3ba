/** The runs in a folder, and in folders in it: what `mambatune runs list` shows. */
import {readdir, stat} from 'node:fs/promises'
import path from 'node:path'
import {type Processes} from '../../checkpoint/directory-lock.js'
import {FileError, MambatuneError} from '../../errors.js'
import {loadRecipe} from '../../recipe/load.js'
import {runFiles} from '../../recipe/run-files.js'
import {isRun} from '../inspect-run.js'
import {type EvaluationLine, readMetrics} from '../metrics-file.js'
import {type RunStatus, standingOf} from './run-status.js'

export interface RunListing {
  /** Of its directory, from the folder that was asked for */
  readonly name: string
  readonly path: string
  readonly model: string | null
  /** The methods of its adapters */
  readonly methods: readonly string[]
  readonly status: RunStatus
  readonly steps: number
  /** Those that it was to have; null where that is not known */
  readonly planned_steps: number | null
  readonly last_loss: number | null
  readonly best_validation: {readonly loss: number; readonly step: number} | null
  /** When it last wrote, ISO 8601 */
  readonly changed: string
  readonly bytes: number
  /** Why some of it cannot be read; null if it can */
  readonly problem: string | null
}

/** Folders within folders that are looked into. */
const DEPTH = 3

/** The latest first. Errors: FileError if there is no such folder. */
export async function listRuns(folder: string, processes: Processes): Promise<RunListing[]> {
  const found = await findRuns(folder, DEPTH)
  const runs = await Promise.all(found.map((run) => listing(run, path.relative(folder, run), processes)))
  return runs.sort((a, b) => b.changed.localeCompare(a.changed))
}

async function findRuns(folder: string, depth: number): Promise<string[]> {
  if (await isRun(folder)) return [folder]
  if (depth === 0) return []
  const entries = await readdir(folder, {withFileTypes: true}).catch((error: NodeJS.ErrnoException) => {
    if (depth < DEPTH) return []
    throw new FileError(`The folder ${folder} cannot be listed: ${error.code ?? error.message}.`, {
      hint: 'Name the folder that your runs are in: mambatune runs list FOLDER',
    })
  })
  const inside = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  return (await Promise.all(inside.map(({name}) => findRuns(path.join(folder, name), depth - 1)))).flat()
}

async function listing(run: string, name: string, processes: Processes): Promise<RunListing> {
  const {newest, status} = await standingOf(run, processes)
  const told = await tell(run)
  const {evaluations = [], plan = null, steps = []} = told.metrics ?? {}
  return {
    name: name === '' ? path.basename(run) : name,
    path: run,
    model: told.recipe?.model.base ?? null,
    methods: [...new Set(told.recipe?.adapters.map(({method}) => method))],
    status,
    steps: steps.at(-1)?.step ?? 0,
    planned_steps: newest?.steps ?? plan?.steps ?? null,
    last_loss: steps.at(-1)?.loss ?? null,
    best_validation: bestOf(evaluations),
    changed: (await lastChange(run)).toISOString(),
    bytes: await bytesIn(run),
    problem: told.problem,
  }
}

export function bestOf(evaluations: readonly EvaluationLine[]): {loss: number; step: number} | null {
  const [best] = [...evaluations].sort((a, b) => a.loss - b.loss)
  return best ? {loss: best.loss, step: best.step} : null
}

type Told = {
  readonly metrics: Awaited<ReturnType<typeof readMetrics>> | null
  readonly recipe: Awaited<ReturnType<typeof loadRecipe>>['recipe'] | null
  readonly problem: string | null
}

/** A damaged run must not hide the others. */
async function tell(run: string): Promise<Told> {
  const {metrics, recipe} = runFiles(run)
  const problems: string[] = []
  const attempt = async <Result>(read: () => Promise<Result>): Promise<Result | null> => {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof MambatuneError)) throw error
      problems.push(error.message)
      return null
    }
  }
  const told = {
    metrics: await attempt(() => readMetrics(metrics)),
    recipe: await attempt(async () => (await loadRecipe(recipe)).recipe),
  }
  return {...told, problem: problems.length > 0 ? problems.join(' ') : null}
}

async function lastChange(run: string): Promise<Date> {
  const {metrics} = runFiles(run)
  return (await stat(metrics).catch(() => stat(run))).mtime
}

async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, {withFileTypes: true}).catch(() => []) // it may go away meanwhile
  const sizes = entries.map(async (entry) => {
    const inside = path.join(directory, entry.name)
    if (entry.isDirectory()) return bytesIn(inside)
    return stat(inside).then(
      ({size}) => size,
      () => 0,
    )
  })
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)
}

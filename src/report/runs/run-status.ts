/** How a run stands, told from what its directory holds: nothing is written when a run is killed. */
import {z} from 'zod'
import {isAdapterDirectory} from '../../checkpoint/adapter-directory.js'
import {lockState, type Processes} from '../../checkpoint/directory-lock.js'
import {type CheckpointFile, listCheckpoints, peekState} from '../../checkpoint/training-checkpoint.js'
import {FileError} from '../../errors.js'
import {runFiles} from '../../recipe/run-files.js'
import {hasEnded} from '../../train/progress.js'

/**
 * running: a program holds the directory. finished: all steps are done, or patience or time has ended it, and the adapter is
 * there. interrupted: stopped or killed before, and resume goes on. failed: ended by an error, without an adapter.
 */
export type RunStatus = 'failed' | 'finished' | 'interrupted' | 'running'

/** What the newest checkpoint says of the run. */
const origin = z.object({
  origin: z.object({base: z.string(), device: z.object({description: z.string(), name: z.string()}), rows: z.string()}),
  progress: z.object({
    elapsed_s: z.number(),
    skipped: z.number(),
    step: z.number(),
    waited: z.number().default(0),
  }),
  /** What may end it before its last step */
  recipe: z.object({
    train: z.object({
      early_stopping: z.object({patience: z.number()}).nullable().default(null),
      max_minutes: z.number().nullable().default(null),
    }),
  }),
  steps: z.number(),
})

export type RunOrigin = z.infer<typeof origin>

export interface RunStanding {
  readonly status: RunStatus
  /** The newest first */
  readonly checkpoints: readonly CheckpointFile[]
  /** null without a checkpoint that can be read */
  readonly newest: RunOrigin | null
}

export async function standingOf(run: string, processes: Processes): Promise<RunStanding> {
  const files = runFiles(run)
  const checkpoints = await listCheckpoints(files.checkpoints)
  const newest = checkpoints.length > 0 ? await readOrigin(checkpoints[0].file) : null
  const lock = await lockState(run, processes)
  if (lock === 'held') return {checkpoints, newest, status: 'running'}
  const hasAdapter = await isAdapterDirectory(files.adapter)
  if (hasAdapter && newest && isAtEnd(newest)) return {checkpoints, newest, status: 'finished'}
  return {checkpoints, newest, status: lock === 'stale' || hasAdapter ? 'interrupted' : 'failed'}
}

function isAtEnd({progress, recipe: {train}, steps}: RunOrigin): boolean {
  const maxSeconds = train.max_minutes === null ? null : 60 * train.max_minutes
  return hasEnded(progress, steps, {earlyStopping: train.early_stopping, maxSeconds})
}

async function readOrigin(file: string): Promise<RunOrigin | null> {
  try {
    return origin.safeParse(await peekState(file)).data ?? null
  } catch (error) {
    if (error instanceof FileError) return null // resume says what is wrong with it
    throw error
  }
}

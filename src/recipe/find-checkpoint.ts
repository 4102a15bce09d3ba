/** The newest checkpoint of a run that is whole: its own bytes are, and the metrics are those that it saw. */
import {checkLog} from '../checkpoint/append-log.js'
import {listCheckpoints, readCheckpoint} from '../checkpoint/training-checkpoint.js'
import {type Fault, FileError} from '../errors.js'
import {runFiles} from './run-files.js'
import {fromContent, type RunState} from './run-state.js'

export interface FoundCheckpoint {
  /** null: the run was stopped before its first checkpoint */
  readonly state: RunState | null
  /** Newer ones that cannot be used, and why */
  readonly unusable: readonly {readonly file: string; readonly why: string}[]
}

/** Errors: FileError if there are checkpoints and none of them can be used. */
export async function findCheckpoint(run: string): Promise<FoundCheckpoint> {
  const {checkpoints, metrics} = runFiles(run)
  const unusable: {file: string; why: string}[] = []
  for (const {file} of await listCheckpoints(checkpoints)) {
    try {
      const state = fromContent(await readCheckpoint(file), file)
      await checkLog(metrics, state.metrics)
      return {state, unusable}
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      unusable.push({file, why: describe(error)})
    }
  }
  if (unusable.length === 0) return {state: null, unusable}
  throw new FileError(`No checkpoint of the run ${run} can be used.`, {
    faults: unusable.map(({file, why}): Fault => ({message: why, where: file})),
    hint: `Begin anew, in another directory: mambatune train ${runFiles(run).recipe} --out NEW_DIRECTORY`,
  })
}

function describe({faults: [first], message}: FileError): string {
  return first ? first.message : message
}

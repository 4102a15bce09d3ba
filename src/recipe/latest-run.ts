/** The run that is meant when none is named: of those in the folder `runs`, the one that wrote last. */
import {readdir, stat} from 'node:fs/promises'
import path from 'node:path'
import {FileError} from '../errors.js'
import {runFiles} from './run-files.js'

const FOLDER = 'runs'

/** Errors: FileError if there is none. */
export async function latestRun(folder = FOLDER): Promise<string> {
  const names = await readdir(folder).catch(() => [])
  const runs = await Promise.all(names.map((name) => lastWritten(path.join(folder, name))))
  const [latest] = runs.flat().sort((a, b) => b.time - a.time)
  if (latest) return latest.run
  throw new FileError(`There is no run in the folder ${folder} of the current directory.`, {
    hint: 'Name its output directory: mambatune resume RUN',
  })
}

async function lastWritten(run: string): Promise<{run: string; time: number}[]> {
  const {metrics, recipe} = runFiles(run)
  try {
    await stat(recipe)
    return [{run, time: (await stat(metrics)).mtimeMs}]
  } catch {
    return [] // not a run, or one that has not begun
  }
}

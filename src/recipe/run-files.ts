/** The files of a run's directory. */
import {readdir, rename, rm, rmdir} from 'node:fs/promises'
import {randomBytes} from 'node:crypto'
import path from 'node:path'
import {LOCK} from '../checkpoint/directory-lock.js'
import {isPartial} from '../checkpoint/training-checkpoint.js'
import {isFile} from '../checkpoint/weight-files.js'
import {FileError} from '../errors.js'

export interface RunFiles {
  readonly recipe: string
  readonly metrics: string
  readonly checkpoints: string
  readonly adapter: string
  /** One page with the curves */
  readonly report: string
  /** Directory of TensorBoard's event files */
  readonly tensorboard: string
  /** Only where the recipe has eval.samples */
  readonly samples: string
}

export function runFiles(out: string): RunFiles {
  const inside = (name: string): string => path.join(out, name)
  return {
    adapter: inside('adapter'),
    checkpoints: inside('checkpoints'),
    metrics: inside('metrics.jsonl'),
    recipe: inside('recipe.resolved.yaml'),
    report: inside('report.html'),
    samples: inside('samples.jsonl'),
    tensorboard: inside('tensorboard'),
  }
}

/** A directory of a run that was killed before its first file is as good as empty. */
export async function refuseUsedDirectory(out: string): Promise<void> {
  const found = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new FileError(`The output directory ${out} cannot be used: ${error.code ?? error.message}.`, {
      hint: 'Name another with --out.',
    })
  })
  const used = found.filter((name) => name !== LOCK && !isPartial(name))
  if (used.length === 0) return
  const isRun = await isFile(runFiles(out).recipe)
  throw new FileError(
    `The output directory ${out} is in use: it holds ${used.slice(0, 3).join(', ')}${used.length > 3 ? ' …' : ''}.`,
    {
      hint: `Name another with --out, ${isRun ? `go on with the run there (mambatune resume ${out}), ` : ''}or remove it first: rm -r ${out}`,
    },
  )
}

/** Takes back the files of a run that did not take a step, so that its directory is free again. */
export async function removeRun(out: string): Promise<void> {
  const {metrics, recipe, samples, tensorboard} = runFiles(out)
  for (const file of [metrics, recipe, samples, tensorboard]) await rm(file, {force: true, recursive: true})
}

/** Removes the directory if nothing is in it. */
export async function removeIfEmpty(out: string): Promise<void> {
  await rmdir(out).catch(() => {}) // it may have been there before, or hold something else by now
}

/** `write` makes a directory anew; the one that is there already stays until it is done, and if it fails. */
export async function replacing(directory: string, write: () => Promise<void>): Promise<void> {
  const name = `.${path.basename(directory)}.${randomBytes(6).toString('hex')}.partial`
  const aside = path.join(path.dirname(directory), name)
  const isThere = await rename(directory, aside).then(
    () => true,
    () => false,
  )
  try {
    await write()
  } catch (error) {
    if (isThere) await rename(aside, directory).catch(() => {})
    throw error
  }
  await rm(aside, {force: true, recursive: true})
}

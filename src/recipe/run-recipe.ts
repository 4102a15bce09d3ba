/**
 * A recipe → a finished run on disk. Everything that can be wrong is found before the first file is written; then
 *
 *   <out>/.lock                  while the run goes on
 *   <out>/recipe.resolved.yaml   every value, so that training from it repeats the run
 *   <out>/metrics.jsonl          one line for each step and evaluation, as it happens
 *   <out>/samples.jsonl          what the model wrote at the evaluations, with eval.samples
 *   <out>/checkpoints/           what a run that was stopped or killed goes on from
 *   <out>/adapter/               the trained adapter, whole or not at all
 */
import {AppendLog} from '../checkpoint/append-log.js'
import {lockDirectory, type Processes} from '../checkpoint/directory-lock.js'
import {makeDirectory, writeFileDurably} from '../checkpoint/output-directory.js'
import {removePartialFiles} from '../checkpoint/training-checkpoint.js'
import {execute} from './execute-run.js'
import {type Prepared, prepare, release} from './prepare-run.js'
import {resolvedYaml} from './resolved.js'
import {refuseUsedDirectory, removeIfEmpty, runFiles} from './run-files.js'
import {type RunOptions, type RunSummary} from './run-options.js'
import {openSamples} from './samples-file.js'

/** Trains as the recipe says, into recipe.output_dir. Errors: those of every part; nothing is left half-written. */
export async function runRecipe(options: RunOptions): Promise<RunSummary> {
  await refuseUsedDirectory(options.recipe.output_dir)
  const prepared = await prepare(options, null)
  try {
    return await begin(prepared, options)
  } finally {
    release(prepared)
  }
}

async function begin(prepared: Prepared, options: RunOptions): Promise<RunSummary> {
  const {recipe} = options
  const out = recipe.output_dir
  const files = runFiles(out)
  await makeDirectory(out)
  const unlock = await lock(out, options.processes)
  try {
    await refuseUsedDirectory(out) // another run may have begun there meanwhile
    await removePartialFiles(out)
    // The recipe first: with it, and it alone, there is a run that can go on.
    await writeFileDurably(files.recipe, resolvedYaml(recipe))
    const metrics = await AppendLog.create(files.metrics)
    const samples = recipe.eval.samples && (await openSamples(files.samples, null))
    return await execute(prepared, options, {metrics, samples, snapshot: null})
  } finally {
    await unlock()
    await removeIfEmpty(out)
  }
}

/** Keeps other programs out of a run; gives what lets them in again. */
export async function lock(out: string, processes: Processes | undefined): Promise<() => Promise<void>> {
  return processes ? lockDirectory(out, processes) : () => Promise.resolve()
}

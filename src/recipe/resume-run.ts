/**
 * Goes on with a run from its newest whole checkpoint, to the bytes that it would have had if it had never stopped. What
 * would change its numbers (settings, weights, rows, device) is refused, unless the run is forked into another directory.
 */
import {copyFile} from 'node:fs/promises'
import path from 'node:path'
import {type DeviceChoice} from '../backend/devices.js'
import {AppendLog} from '../checkpoint/append-log.js'
import {makeDirectory, writeFileDurably} from '../checkpoint/output-directory.js'
import {removePartialFiles, setAside} from '../checkpoint/training-checkpoint.js'
import {isFile} from '../checkpoint/weight-files.js'
import {type Fault, FileError, MismatchError} from '../errors.js'
import {execute} from './execute-run.js'
import {findCheckpoint, type FoundCheckpoint} from './find-checkpoint.js'
import {loadRecipe} from './load.js'
import {type ModelPlace, placeInRecipe} from './model-place.js'
import {prepare, release} from './prepare-run.js'
import {otherDeviceNote, withoutItsDevice} from './other-device.js'
import {originDifference, recipeDifference} from './recipe-difference.js'
import {resolvedYaml} from './resolved.js'
import {refuseUsedDirectory, removeIfEmpty, type RunFiles, runFiles} from './run-files.js'
import {type RunOptions, type RunSummary} from './run-options.js'
import {lock} from './run-recipe.js'
import {type RunState} from './run-state.js'
import {openSamples} from './samples-file.js'
import {type Recipe} from './schema.js'
import {extended, isDone, withMoreEpochs} from './extend-run.js'

export interface ResumeOptions extends Omit<RunOptions, 'device' | 'place' | 'recipe'> {
  /** The directory of the run */
  readonly run: string
  /** `key.path=value`, as after `--set` */
  readonly overrides?: readonly string[]
  /** null: the run's own */
  readonly device?: DeviceChoice | null
  /** Finds model and tokenizer, if not where the recipe says: models of the hub */
  readonly locate?: (recipe: Recipe) => Promise<ModelPlace>
  /** A new directory, in which the run goes on with other settings; null: in its own. */
  readonly fork?: string | null
  /** Epochs to add to those of the run, which must be done with them */
  readonly moreEpochs?: number | null
}

/** Errors: MismatchError with every difference; those of every part. */
export async function resumeRun(options: ResumeOptions): Promise<RunSummary> {
  const {fork = null, processes, run} = options
  const recipe = await recipeOf(options)
  if (fork !== null) {
    await refuseUsedDirectory(fork)
    await makeDirectory(fork)
  }
  const out = recipe.output_dir
  const unlock = await lock(out, processes)
  try {
    const found = await findCheckpoint(run)
    for (const {file, why} of found.unusable) {
      options.report({event: 'note', text: `${file} cannot be used (${why}); the one before it is`})
    }
    return await goOn(found, recipe, options)
  } finally {
    await unlock()
    await removeIfEmpty(out)
  }
}

async function recipeOf({fork = null, moreEpochs = null, overrides = [], run}: ResumeOptions): Promise<Recipe> {
  const file = runFiles(run).recipe
  if (!(await isFile(file))) {
    throw new FileError(`${run} holds no run that could go on: recipe.resolved.yaml is missing.`, {
      hint: 'Name the output directory of a run; one that was stopped before its first step is trained anew.',
    })
  }
  const {recipe: begun} = await loadRecipe(file, overrides)
  const recipe = moreEpochs === null ? begun : withMoreEpochs(begun, moreEpochs)
  return {...recipe, output_dir: fork ?? run}
}

async function goOn(found: FoundCheckpoint, recipe: Recipe, options: ResumeOptions): Promise<RunSummary> {
  const {fork = null, report, run} = options
  const {state} = found
  const files = runFiles(recipe.output_dir)
  const ended = state !== null && isDone(state)
  if (state && fork === null) refuseDifference(recipeDifference(state.recipe, recipe, {hasEnded: ended}), run)
  if (!state && fork !== null) throw nothingToFork(run)
  const place = (await options.locate?.(recipe)) ?? placeInRecipe(recipe)
  const runOptions: RunOptions = {...options, device: options.device ?? deviceOf(state), place, recipe}
  report({
    event: 'note',
    text: state ? `going on after step ${state.progress.step}` : 'no checkpoint yet: going on from the first step',
  })
  const prepared = await prepare(runOptions, state).catch((error: unknown) => {
    throw state && (options.device ?? null) === null ? withoutItsDevice(error, state, run) : error
  })
  try {
    if (state && fork === null) refuseDifference(originDifference(state.origin, prepared.origin), run)
    const note = state && otherDeviceNote(state, prepared.origin.device)
    if (note) report({event: 'note', text: note})
    const metrics = await openMetrics(found, files, options)
    const before = state && {file: runFiles(run).samples, progress: state.progress}
    const samples = recipe.eval.samples && (await openSamples(files.samples, before))
    await writeFileDurably(files.recipe, resolvedYaml(recipe))
    const snapshot = state && ended ? extended(state, recipe) : state
    return await execute(prepared, runOptions, {metrics, samples, snapshot})
  } finally {
    release(prepared)
  }
}

/** Puts the run's directory into the state of the checkpoint: nothing half-written, nothing from after it. */
async function openMetrics(
  {state, unusable}: FoundCheckpoint,
  {checkpoints, metrics}: RunFiles,
  {fork = null, run}: ResumeOptions,
): Promise<AppendLog> {
  await removePartialFiles(path.dirname(metrics))
  await removePartialFiles(checkpoints)
  if (fork === null) for (const {file} of unusable) await setAside(file)
  else await copyFile(runFiles(run).metrics, metrics)
  return state ? AppendLog.reopen(metrics, state.metrics) : AppendLog.create(metrics)
}

function deviceOf(state: RunState | null): DeviceChoice {
  const name = state?.origin.device.name
  return name === 'cpu' || name === 'gpu' || name === 'tensorflow' ? name : 'auto'
}

function refuseDifference(faults: readonly Fault[], run: string): void {
  if (faults.length === 0) return
  throw new MismatchError(`The run ${run} cannot go on as it began: other numbers would come out.`, {
    faults,
    hint: `Take the changes back, or go on with them in a new directory: mambatune resume ${run} --fork NEW_DIRECTORY …`,
  })
}

function nothingToFork(run: string): FileError {
  return new FileError(`The run ${run} has no checkpoint to go on from.`, {
    hint: `Train from its recipe instead: mambatune train ${runFiles(run).recipe} --out NEW_DIRECTORY`,
  })
}

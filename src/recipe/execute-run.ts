/** Trains with everything prepared and writes the run's files, from its first step or from a checkpoint. */
import {gpuBackend} from '../backend/gpu/current.js'
import {type AppendLog} from '../checkpoint/append-log.js'
import {pruneCheckpoints, writeCheckpoint} from '../checkpoint/training-checkpoint.js'
import {FileError, interruption, InterruptedError, MemoryError, NumericError} from '../errors.js'
import {saveAdapter} from '../peft/saved-adapter.js'
import {planSteps} from '../train/plan.js'
import {type Snapshot} from '../train/progress.js'
import {train} from '../train/train.js'
import {type TrainSettings} from '../train/training-run.js'
import {explain, type Prepared, recomputes} from './prepare-run.js'
import {removeRun, replacing, runFiles} from './run-files.js'
import {type RunOptions, type RunSummary} from './run-options.js'
import {toContent} from './run-state.js'
import {trainSettings} from './settings.js'

/** Where the run goes on. */
export interface Start {
  /** null: at its first step */
  readonly snapshot: Snapshot | null
  /** Open at that moment; closed at the end */
  readonly metrics: AppendLog
}

/** How far the run is, for its last words. */
interface Reached {
  step: number
  /** Step of the last checkpoint, 0 without one */
  saved: number
}

/**
 * A run that is interrupted or runs out of memory keeps its adapter as it is then; one that ends before its first step
 * leaves nothing.
 */
export async function execute(prepared: Prepared, options: RunOptions, start: Start): Promise<RunSummary> {
  const {recipe, report} = options
  const {adapters, model, train: examples} = prepared
  const settings = {...trainSettings(recipe), recompute: recomputes(prepared.memory)}
  const {steps} = planSteps(examples.examples.length, settings)
  const done = start.snapshot?.progress.step ?? 0
  const reached: Reached = {saved: done, step: done}
  report({done, event: 'plan', steps, total: model.weights.size, trainable: adapters.size})
  try {
    const result = await trainAndRecord(prepared, options, {...start, reached, settings, steps})
    await keepAdapter(prepared, recipe.output_dir)
    const sizes = {baseParameters: model.weights.size, trainableParameters: adapters.size}
    const {adapter} = runFiles(recipe.output_dir)
    return {...result, ...sizes, adapter, base: prepared.base.path, device: prepared.device, out: recipe.output_dir}
  } catch (error) {
    throw await ending(error, prepared, options, {reached, steps})
  } finally {
    await start.metrics.close()
  }
}

interface Recording extends Start {
  readonly reached: Reached
  readonly settings: TrainSettings
  readonly steps: number
}

function trainAndRecord(
  {adapters, model, origin, train: examples, validation}: Prepared,
  {recipe, report, signal}: RunOptions,
  {metrics, reached, settings, snapshot, steps}: Recording,
): ReturnType<typeof train> {
  const {checkpoints} = runFiles(recipe.output_dir)
  return train({
    checkpoints: {
      every: recipe.checkpoints.every,
      async save({optimizer, progress}) {
        const content = toContent({
          adapters: adapters.settings,
          metrics: await metrics.settle(),
          optimizer,
          origin,
          progress,
          recipe,
          steps,
          values: await adapters.values(),
        })
        await writeCheckpoint(checkpoints, progress.step, content)
        reached.saved = progress.step
        await pruneCheckpoints(checkpoints, recipe.checkpoints.keep)
      },
    },
    from: snapshot,
    report(event) {
      if (event.event === 'step' || event.event === 'skip') reached.step = event.step
      metrics.append(JSON.stringify(event))
      report(event)
    },
    reportEvaluation: (evaluated, total) => report({done: evaluated, event: 'evaluating', total}),
    settings,
    train: examples.examples,
    trainee: {adapters, model},
    validation: validation?.examples ?? null,
    ...(signal && {signal}),
  })
}

async function keepAdapter({adapters, base}: Prepared, out: string): Promise<void> {
  const {adapter} = runFiles(out)
  const values = await adapters.values()
  await replacing(adapter, () => saveAdapter(adapter, {settings: adapters.settings, values}, base))
}

/** Tidies up after an error, and says with it what is kept and how to go on. */
async function ending(
  error: unknown,
  prepared: Prepared,
  {recipe: {output_dir: out}, signal}: RunOptions,
  {reached: {saved, step}, steps}: {reached: Reached; steps: number},
): Promise<unknown> {
  if (step === 0) await removeRun(out)
  const resume = `mambatune resume ${out}`
  const kept = saved === 0 ? '' : ` The checkpoint after step ${saved} is kept.`
  if (step > 0 && (error instanceof InterruptedError || error instanceof MemoryError)) {
    gpuBackend()?.recover()
    await keepAdapter(prepared, out)
    const text = `Stopped after step ${step} of ${steps}. The adapter as it is now is in ${runFiles(out).adapter}.`
    if (error instanceof InterruptedError) return interruption(signal ?? {reason: error}, text, {hint: resume})
    return explain(error, prepared.memory, `${text}${kept}`)
  }
  if (error instanceof NumericError && saved > 0) {
    const {faults, hint, message} = error
    const fork = `${resume} --fork NEW_DIRECTORY --set train.optimizer.learning_rate=…, from that checkpoint`
    return new NumericError(`${message}${kept}`, {faults, hint: hint === undefined ? fork : `${hint}\n${fork}`})
  }
  if (error instanceof FileError && step > 0) {
    const hint = `${error.hint ?? 'Mend what is wrong there.'}\nThen go on: ${resume}`
    return new FileError(`${error.message}${kept}`, {cause: error.cause, faults: error.faults, hint})
  }
  return explain(error, prepared.memory, null)
}

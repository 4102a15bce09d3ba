/** Trains with everything prepared and writes the run's files, from its first step or from a checkpoint. */
import {gpuBackend} from '../backend/gpu/current.js'
import {type AppendLog} from '../checkpoint/append-log.js'
import {pruneCheckpoints, writeCheckpoint} from '../checkpoint/training-checkpoint.js'
import {DeviceError, FileError, interruption, InterruptedError, MemoryError, NumericError} from '../errors.js'
import {saveAdapter} from '../peft/saved-adapter.js'
import {type Snapshot} from '../train/progress.js'
import {stepRows} from '../train/step-rows.js'
import {train} from '../train/train.js'
import {type TrainSettings} from '../train/training-run.js'
import {placeInRecipe} from './model-place.js'
import {explain, type Prepared, recomputes} from './prepare-run.js'
import {ChartFile} from './chart-file.js'
import {removeRun, replacing, runFiles} from './run-files.js'
import {type RunOptions, type RunSummary} from './run-options.js'
import {toContent} from './run-state.js'
import {createSampler} from './sampler.js'
import {trainSettings} from './settings.js'

/** Where the run goes on. */
export interface Start {
  /** null: at its first step */
  readonly snapshot: Snapshot | null
  /** Open at that moment; closed at the end */
  readonly metrics: AppendLog
  /** Likewise; null without eval.samples */
  readonly samples: AppendLog | null
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
  const {steps} = stepRows(examples.examples, settings).plan
  const done = start.snapshot?.progress.step ?? 0
  const reached: Reached = {saved: done, step: done}
  const plan = {event: 'plan', steps, total: model.weights.size, trainable: adapters.size} as const
  if (done === 0) start.metrics.append(JSON.stringify(plan)) // so that whoever follows the file knows how far it goes
  report({...plan, done})
  const {adapter, tensorboard} = runFiles(recipe.output_dir)
  let charts: ChartFile | null = null
  try {
    if (recipe.logging.tensorboard) charts = await ChartFile.create(tensorboard, done)
    const result = await trainAndRecord(prepared, options, {...start, charts, reached, settings, steps})
    await keepAdapter(prepared, recipe.output_dir, result.bestValues)
    const sizes = {baseParameters: model.weights.size, trainableParameters: adapters.size}
    return {...result, ...sizes, adapter, base: prepared.base.path, device: prepared.device, out: recipe.output_dir}
  } catch (error) {
    throw await ending(error, prepared, options, {reached, steps})
  } finally {
    await start.metrics.close()
    await charts?.close()
    await start.samples?.close()
  }
}

interface Recording extends Start {
  readonly reached: Reached
  readonly settings: TrainSettings
  readonly steps: number
  /** For TensorBoard; null where the recipe does not ask for it */
  readonly charts: ChartFile | null
}

async function trainAndRecord(
  {adapters, model, origin, train: examples, validation}: Prepared,
  {memoryInUse, place, recipe, report, signal}: RunOptions,
  {charts, metrics, reached, samples, settings, snapshot, steps}: Recording,
): ReturnType<typeof train> {
  const {checkpoints} = runFiles(recipe.output_dir)
  const memoryNow = (): number | null => {
    const onGpu = gpuBackend()?.gpuMemory()
    return onGpu ? onGpu.live + onGpu.pooled : (memoryInUse?.() ?? null)
  }
  const {tokenizer} = place ?? placeInRecipe(recipe)
  const sample = await createSampler(recipe, {adapters, model, tokenizer, ...(signal && {signal})})
  return train({
    checkpoints: {
      every: recipe.checkpoints.every,
      async save({bestValues = null, carried = null, optimizer, progress}) {
        const content = toContent({
          adapters: adapters.settings,
          bestValues,
          carried,
          metrics: await metrics.settle(),
          optimizer,
          origin,
          progress,
          recipe,
          steps,
          values: await adapters.values(),
        })
        const file = await writeCheckpoint(checkpoints, progress.step, content)
        reached.saved = progress.step
        report({event: 'checkpoint', file, step: progress.step})
        await pruneCheckpoints(checkpoints, recipe.checkpoints.keep)
      },
    },
    from: snapshot,
    report(happened) {
      if (happened.event === 'step' || happened.event === 'skip') reached.step = happened.step
      const event = happened.event === 'gauge' ? {...happened, memory_bytes: memoryNow()} : happened
      const log = event.event === 'sample' ? samples : metrics
      log?.append(JSON.stringify(event))
      charts?.write(event)
      report(event)
    },
    reportEvaluation: (evaluated, total) => report({done: evaluated, event: 'evaluating', total}),
    settings,
    ...(sample && {sample}),
    train: examples.examples,
    trainee: {adapters, model},
    validation: validation?.examples ?? null,
    ...(signal && {signal}),
  })
}

/** With the best evaluation's values, or those of now. */
async function keepAdapter(
  {adapters, base}: Prepared,
  out: string,
  best: Snapshot['bestValues'] = null,
): Promise<void> {
  const {adapter} = runFiles(out)
  const values = best ?? (await adapters.values())
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
  if (error instanceof DeviceError && step > 0) {
    const hint = saved > 0 ? `${resume}, from that checkpoint\n${error.hint ?? ''}`.trimEnd() : error.hint
    const details = {cause: error.cause, faults: error.faults, ...(hint !== undefined && {hint})}
    return new DeviceError(`${error.message} Stopped after step ${step} of ${steps}.${kept}`, details)
  }
  if (error instanceof FileError && step > 0) {
    const hint = `${error.hint ?? 'Mend what is wrong there.'}\nThen go on: ${resume}`
    return new FileError(`${error.message}${kept}`, {cause: error.cause, faults: error.faults, hint})
  }
  return explain(error, prepared.memory, null)
}

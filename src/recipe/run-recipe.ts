/**
 * A recipe → a finished run on disk. Everything that can be wrong is found before the first file is written; then
 *
 *   <out>/recipe.resolved.yaml   every value, so that training from it repeats the run
 *   <out>/metrics.jsonl          one line for each step and evaluation, as it happens
 *   <out>/adapter/               the trained adapter, whole or not at all
 */
import {appendFileSync} from 'node:fs'
import {mkdir, open, readdir, rm, rmdir} from 'node:fs/promises'
import path from 'node:path'
import {type Device, type DeviceChoice, startDevice} from '../backend/devices.js'
import {gpuBackend} from '../backend/gpu/current.js'
import {type MemorySize} from '../backend/gpu/memory-size.js'
import {memoryText} from '../backend/gpu/memory-text.js'
import {fingerprintTensors, openModelDirectory} from '../checkpoint/model-directory.js'
import {writeFileDurably} from '../checkpoint/output-directory.js'
import {type Dataset, type Example} from '../data/rows.js'
import {FileError, InterruptedError, MemoryError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type LanguageModel} from '../model/language-model.js'
import {loadModel} from '../model/load-model.js'
import {configOf} from '../model/model-files.js'
import {type AdapterSet} from '../peft/adapter-set.js'
import {saveAdapter} from '../peft/saved-adapter.js'
import {checkGradientFlow} from '../train/gradient-flow.js'
import {placeOf} from '../train/largest-batch.js'
import {estimateMemory} from '../train/memory-estimate.js'
import {explainTraining} from '../train/memory-explained.js'
import {type RunShape} from '../train/memory-fit.js'
import {planSteps} from '../train/plan.js'
import {startAdapters} from '../train/start-adapters.js'
import {type TrainEvent} from '../train/events.js'
import {train} from '../train/train.js'
import {type TrainResult} from '../train/training-run.js'
import {checkVocabulary} from './check-vocabulary.js'
import {resolvedYaml} from './resolved.js'
import {readData} from './run-data.js'
import {type Recipe} from './schema.js'
import {trainSettings} from './settings.js'
import {decided, stepShape} from './step-shape.js'

/** What a run tells while it goes on. A stage lasts until the next event. */
export type RunEvent =
  | TrainEvent
  | {readonly event: 'stage'; readonly text: string}
  | {readonly event: 'note'; readonly text: string}
  | {readonly event: 'plan'; readonly steps: number; readonly trainable: number; readonly total: number}
  | {readonly event: 'evaluating'; readonly done: number; readonly total: number}

export interface RunOptions {
  readonly recipe: Recipe
  readonly device: DeviceChoice
  /** Bytes that the run takes of the GPU at most; null: no limit of ours */
  readonly gpuMemory?: number | null
  readonly report: (event: RunEvent) => void
  readonly signal?: AbortSignal
}

export interface RunSummary extends TrainResult {
  readonly out: string
  readonly adapter: string
  readonly trainableParameters: number
  readonly baseParameters: number
  readonly device: Device
}

/** Trains as the recipe says, into recipe.output_dir. Errors: those of every part; nothing is left half-written. */
export async function runRecipe(options: RunOptions): Promise<RunSummary> {
  await refuseUsedDirectory(options.recipe.output_dir)
  const prepared = await prepare(options)
  try {
    return await execute(prepared, options)
  } finally {
    prepared.adapters.dispose()
    prepared.model.weights.dispose()
    prepared.device.close()
  }
}

interface Prepared {
  readonly device: Device
  readonly base: {readonly path: string; readonly fingerprint: string}
  readonly model: LanguageModel
  readonly adapters: AdapterSet
  readonly train: Dataset
  readonly validation: Dataset | null
  readonly memory: StepMemory
}

/** The largest step, and the memory that there is for it. */
interface StepMemory {
  readonly shape: RunShape
  readonly available: MemorySize
}

/** Reads, loads and checks everything; writes nothing. */
async function prepare({device: choice, gpuMemory = null, recipe, report, signal}: RunOptions): Promise<Prepared> {
  const files = await openModelDirectory(recipe.model.base)
  report({event: 'stage', text: 'Reading data'})
  const {train: examples, validation} = await readData(recipe)
  for (const note of notesOf(examples, validation)) report({event: 'note', text: note})
  refuseAborted(signal)
  report({event: 'stage', text: 'Starting device'})
  const device = await startDevice(choice, {gpuMemory, precision: recipe.model.dtype})
  report({event: 'note', text: `device ${device.description}`})
  const memory = await memoryOf(device, recipe, configOf(files), examples.examples)
  let model: LanguageModel | undefined
  let adapters: AdapterSet | undefined
  try {
    for (const note of await memoryNotes(memory, recipe)) report({event: 'note', text: note})
    report({event: 'stage', text: `Loading ${recipe.model.base}`})
    const base = {fingerprint: await fingerprintTensors(files.tensors), path: recipe.model.base}
    model = await loadModel(files)
    refuseAborted(signal)
    checkVocabulary(model.config.vocabulary, [examples, validation])
    const {adapters: settings, init_adapter: initAdapter, seed} = recipe
    adapters = await startAdapters({base, config: model.config, initAdapter, seed, settings})
    report({event: 'stage', text: 'Checking that every adapter tensor gets a gradient'})
    const recompute = recomputes(memory)
    const checked = await checkGradientFlow({adapters, model}, examples.examples.slice(0, 1), {recompute})
    refuseAborted(signal)
    report({event: 'note', text: `gradients reach all ${checked} adapter tensors`})
    return {adapters, base, device, memory, model, train: examples, validation}
  } catch (error) {
    const explained = await explain(error, memory, null)
    adapters?.dispose()
    model?.weights.dispose()
    device.close()
    throw explained
  }
}

async function memoryOf(
  device: Device,
  recipe: Recipe,
  config: MambaConfig,
  examples: readonly Example[],
): Promise<StepMemory> {
  const memory = await device.memory()
  const shape = await decided(stepShape(recipe, config, placeOf(device.name), examples), recipe, memory)
  if (memory?.bytes) gpuBackend()?.expectRoom(memory.bytes)
  return {available: memory ?? {bytes: null, source: 'not known'}, shape}
}

const recomputes = ({shape}: StepMemory): boolean => shape.checkpointing === 'block'

/** What train.checkpointing: auto has decided, where that is not the usual. */
async function memoryNotes({available, shape}: StepMemory, {train: {checkpointing}}: Recipe): Promise<string[]> {
  if (checkpointing !== 'auto' || shape.checkpointing === 'none') return []
  const kept = memoryText((await estimateMemory({...shape, checkpointing: 'none'})).total)
  const there = available.bytes === null ? 'memory is not known' : `${memoryText(available.bytes)}, ${available.source}`
  return [
    `activations are computed again in the backward pass, because keeping them is predicted to take ${kept} (${there})`,
  ]
}

/** If it is for lack of memory, with what takes how much and what would fit. */
function explain(error: unknown, {available, shape}: StepMemory, saved: string | null): Promise<unknown> {
  return explainTraining(error, shape, {available, measured: gpuBackend()?.gpuMemory() ?? null}, saved)
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError('Stopped before the first step; nothing was written.')
}

/** What reading the data found out; of the validation data, what is not already said of the training data. */
function notesOf(train: Dataset, validation: Dataset | null): string[] {
  const more = (validation?.notes ?? []).filter((note) => !train.notes.includes(note))
  return [...train.notes.map((note) => `data.train: ${note}`), ...more.map((note) => `data.validation: ${note}`)]
}

/**
 * Trains and writes the run's files. A run that is interrupted or runs out of memory keeps its adapter as it is then; one
 * that ends before its first step leaves nothing.
 */
async function execute(prepared: Prepared, {recipe, report, signal}: RunOptions): Promise<RunSummary> {
  const {adapters, base, device, memory, model, train: examples, validation} = prepared
  const out = recipe.output_dir
  const adapter = path.join(out, 'adapter')
  const settings = {...trainSettings(recipe), recompute: recomputes(memory)}
  const {steps} = planSteps(examples.examples.length, settings)
  report({event: 'plan', steps, total: model.weights.size, trainable: adapters.size})
  await mkdir(out, {recursive: true})
  await writeFileDurably(path.join(out, 'recipe.resolved.yaml'), resolvedYaml(recipe))
  const metrics = await open(path.join(out, 'metrics.jsonl'), 'ax')
  let done = 0
  try {
    const result = await train({
      report(event) {
        if (event.event === 'step') done = event.step
        appendFileSync(metrics.fd, `${JSON.stringify(event)}\n`) // at once, so that a killed run keeps its lines
        report(event)
      },
      reportEvaluation: (evaluated, total) => report({done: evaluated, event: 'evaluating', total}),
      settings,
      train: examples.examples,
      trainee: {adapters, model},
      validation: validation?.examples ?? null,
      ...(signal && {signal}),
    })
    await saveAdapter(adapter, {settings: adapters.settings, values: await adapters.values()}, base)
    const sizes = {baseParameters: model.weights.size, trainableParameters: adapters.size}
    return {...result, ...sizes, adapter, device, out}
  } catch (error) {
    if (done === 0) await removeRun(out)
    const stopped = error instanceof InterruptedError || error instanceof MemoryError
    if (!stopped || done === 0) throw await explain(error, memory, null)
    gpuBackend()?.recover()
    await saveAdapter(adapter, {settings: adapters.settings, values: await adapters.values()}, base)
    const saved = `Stopped after step ${done} of ${steps}. The adapter as it is now is in ${adapter}.`
    throw error instanceof InterruptedError ? new InterruptedError(saved) : await explain(error, memory, saved)
  } finally {
    await metrics.close()
  }
}

/** Takes back the files of a run that did not take a step, so that its directory is free again. */
async function removeRun(out: string): Promise<void> {
  for (const name of ['recipe.resolved.yaml', 'metrics.jsonl']) await rm(path.join(out, name), {force: true})
  await rmdir(out).catch(() => {}) // it may have been there before, or hold something else by now
}

async function refuseUsedDirectory(out: string): Promise<void> {
  const found = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new FileError(`The output directory ${out} cannot be used: ${error.code ?? error.message}.`, {
      hint: 'Name another with --out.',
    })
  })
  if (found.length > 0) {
    throw new FileError(
      `The output directory ${out} is in use: it holds ${found.slice(0, 3).join(', ')}${found.length > 3 ? ' …' : ''}.`,
      {
        hint: `Name another with --out, or remove it first: rm -r ${out}`,
      },
    )
  }
}

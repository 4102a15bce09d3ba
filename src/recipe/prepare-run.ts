/** Everything that a run needs before its first file is written: model, data, device, adapters, and whether they fit. */
import {createHash} from 'node:crypto'
import {type Device, startDevice} from '../backend/devices.js'
import {gpuBackend} from '../backend/gpu/current.js'
import {type MemorySize} from '../backend/gpu/memory-size.js'
import {memoryText} from '../backend/gpu/memory-text.js'
import {type AdapterManifest} from '../checkpoint/adapter-manifest.js'
import {fingerprintTensors, openModelDirectory} from '../checkpoint/model-directory.js'
import {type Dataset, type Example} from '../data/rows.js'
import {interruption} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type LanguageModel} from '../model/language-model.js'
import {loadModel} from '../model/load-model.js'
import {configOf} from '../model/model-files.js'
import {AdapterSet} from '../peft/adapter-set.js'
import {normEntry} from '../peft/base-norm.js'
import {continuedFrom} from '../peft/phases.js'
import {checkGradientFlow} from '../train/gradient-flow.js'
import {placeOf} from '../train/largest-batch.js'
import {estimateMemory} from '../train/memory-estimate.js'
import {explainTraining} from '../train/memory-explained.js'
import {type RunShape} from '../train/memory-fit.js'
import {startAdapters} from '../train/start-adapters.js'
import {type StepRows, stepRows} from '../train/step-rows.js'
import {checkPhases} from './check-phases.js'
import {checkVocabulary} from './check-vocabulary.js'
import {addedNorm, trainedConfig} from './model-norm.js'
import {placeInRecipe} from './model-place.js'
import {readData} from './run-data.js'
import {type RunOptions} from './run-options.js'
import {type RunOrigin, type RunState} from './run-state.js'
import {type Recipe} from './schema.js'
import {trainSettings} from './settings.js'
import {decided, stepShape} from './step-shape.js'

export interface Prepared {
  readonly device: Device
  readonly base: AdapterManifest['base']
  readonly model: LanguageModel
  readonly adapters: AdapterSet
  readonly train: Dataset
  readonly validation: Dataset | null
  readonly memory: StepMemory
  readonly origin: RunOrigin
}

/** The largest step, and the memory that there is for it. */
export interface StepMemory {
  readonly shape: RunShape
  readonly available: MemorySize
}

/** Reads, loads and checks everything; writes nothing. `begun` are the adapters of a run that has begun already. */
export async function prepare(
  {device: choice, gpuMemory = null, place, recipe, report, signal}: RunOptions,
  begun: Pick<RunState, 'adapters' | 'values'> | null,
): Promise<Prepared> {
  const found = place ?? placeInRecipe(recipe)
  const bare = await openModelDirectory(found.model)
  const files = {...bare, config: trainedConfig(recipe, bare.config)}
  report({event: 'stage', text: 'Reading data'})
  const {train: examples, validation} = await readData(recipe, found)
  for (const note of notesOf(examples, validation)) report({event: 'note', text: note})
  const rows = stepRows(examples.examples, trainSettings(recipe))
  for (const note of rows.notes) report({event: 'note', text: `data.train: ${note}`})
  refuseAborted(signal)
  report({event: 'stage', text: 'Starting device'})
  const device = await startDevice(choice, {gpuMemory, precision: recipe.model.dtype})
  report({event: 'note', text: `device ${device.description}`})
  const memory = await memoryOf(device, recipe, configOf(files), rows)
  let model: LanguageModel | undefined
  let adapters: AdapterSet | undefined
  try {
    for (const note of await memoryNotes(memory, recipe)) report({event: 'note', text: note})
    report({event: 'stage', text: `Loading ${recipe.model.base}`})
    const base = {
      architecture: configOf(files).architecture,
      fingerprint: await fingerprintTensors(files.tensors),
      path: recipe.model.base,
      ...normEntry(addedNorm(bare.config, files.config)),
    }
    model = await loadModel(files)
    refuseAborted(signal)
    checkVocabulary(model.config.vocabulary, [examples, validation])
    const {adapters: settings, init_adapter: initAdapter, seed} = recipe
    adapters = begun
      ? AdapterSet.restore(continuedFrom(settings, begun.adapters), model.config, begun.values)
      : await startAdapters({base, initAdapter, model, seed, settings})
    checkPhases(adapters.settings, rows.plan.steps)
    report({event: 'stage', text: 'Checking that every adapter tensor gets a gradient'})
    const recompute = recomputes(memory)
    const checked = await checkGradientFlow({adapters, model}, [beginning(examples.examples[0], recipe)], {recompute})
    refuseAborted(signal)
    report({event: 'note', text: `gradients reach all ${checked} adapter tensors`})
    const origin = originOf(device, base.fingerprint, examples.examples)
    return {adapters, base, device, memory, model, origin, train: examples, validation}
  } catch (error) {
    const explained = await explain(error, memory, null)
    adapters?.dispose()
    model?.weights.dispose()
    device.close()
    throw explained
  }
}

async function memoryOf(device: Device, recipe: Recipe, config: MambaConfig, rows: StepRows): Promise<StepMemory> {
  const memory = await device.memory()
  const shape = await decided(stepShape(recipe, config, placeOf(device.name), rows), recipe, memory)
  if (memory?.bytes) gpuBackend()?.expectRoom(memory.bytes)
  return {available: memory ?? {bytes: null, source: 'not known'}, shape}
}

export const recomputes = ({shape}: StepMemory): boolean => shape.checkpointing === 'block'

/** As much of an example as a row holds, and the token that is predicted from it. */
function beginning({ids, labels, where}: Example, {data: {max_length: length}}: Recipe): Example {
  return {ids: ids.subarray(0, length + 1), labels: labels.subarray(0, length + 1), where}
}

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
export function explain(error: unknown, {available, shape}: StepMemory, saved: string | null): Promise<unknown> {
  return explainTraining(error, shape, {available, measured: gpuBackend()?.gpuMemory() ?? null}, saved)
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interruption(signal, 'Stopped before the first step; nothing was written.')
}

/** What reading the data found out; of the validation data, what is not already said of the training data. */
function notesOf(train: Dataset, validation: Dataset | null): string[] {
  const more = (validation?.notes ?? []).filter((note) => !train.notes.includes(note))
  return [...train.notes.map((note) => `data.train: ${note}`), ...more.map((note) => `data.validation: ${note}`)]
}

/** Gives back what prepare has taken. */
export function release({adapters, device, model}: Prepared): void {
  adapters.dispose()
  model.weights.dispose()
  device.close()
}

function originOf({description, name}: Device, base: string, rows: readonly Example[]): RunOrigin {
  const hash = createHash('sha256')
  for (const {ids, labels} of rows) hash.update(`${ids.length} `).update(ids).update(labels)
  const precision = name === 'gpu' ? (gpuBackend()?.precision ?? null) : null
  return {base, device: {description, name, precision}, rows: `sha256:${hash.digest('hex')}`}
}

/**
 * What training by a recipe will take, told from the recipe, the model's config.json and the data: no weights are read, and
 * no GPU is needed. Measuring a real step beside it is apart, in measure-step.ts.
 */
import {type DeviceChoice} from '../backend/devices.js'
import {openGpu} from '../backend/gpu/gpu-device.js'
import {gpuMemorySize, type MemorySize, type OpenedGpu} from '../backend/gpu/memory-size.js'
import {readModelConfig} from '../checkpoint/model-directory.js'
import {type Example} from '../data/rows.js'
import {MambatuneError} from '../errors.js'
import {type MambaConfig, readMambaConfig} from '../model/config.js'
import {parameterSpecs} from '../peft/adapter-set.js'
import {lastPhases, phaseEndOf} from '../peft/phases.js'
import {type AdapterSettings} from '../peft/method-settings.js'
import {trainedConfig} from '../recipe/model-norm.js'
import {type ModelPlace, placeInRecipe} from '../recipe/model-place.js'
import {readData} from '../recipe/run-data.js'
import {type Recipe} from '../recipe/schema.js'
import {trainSettings} from '../recipe/settings.js'
import {decided, stepShape} from '../recipe/step-shape.js'
import {type Place} from '../train/largest-batch.js'
import {estimateMemory} from '../train/memory-estimate.js'
import {type FittingSettings, fits, fittingSettings, type RunShape} from '../train/memory-fit.js'
import {type MemoryEstimate} from '../train/memory-parts.js'
import {sizeOf} from '../train/memory-shape.js'
import {type StepRows, stepRows} from '../train/step-rows.js'
import {countParameters} from './inspect-model.js'
import {type MeasuredStep} from './measure-step.js'
import {type PlanQuestion} from './plan-question.js'

export interface RunPlan {
  readonly model: string
  readonly device: Place['device']
  /** What is known of the device, one line */
  readonly device_description: string
  readonly precision: Place['precision']
  readonly trainable_parameters: number
  readonly base_parameters: number
  /** 100 · trainable / (base + trainable) */
  readonly trainable_percent: number
  /** What is trained before an adapter has chosen its parameters; null where none chooses */
  readonly warmup: {readonly steps: number; readonly trainable_parameters: number} | null
  readonly steps: PlannedSteps
  readonly checkpointing: PlannedCheckpointing
  /** Bytes, estimated, at the fullest moment of the largest step */
  readonly memory: MemoryEstimate
  readonly available: MemorySize
  readonly fits: boolean
  /** Settings that are predicted to fit, where the recipe does not */
  readonly fitting: readonly FittingSettings[]
  readonly measured: MeasuredStep | null
}

export interface PlannedSteps {
  /** Training rows; null if the data cannot be read */
  readonly rows: number | null
  /** Why not */
  readonly problem: string | null
  readonly steps: number | null
  readonly steps_per_epoch: number | null
  readonly batch_size: number
  readonly gradient_accumulation: number
  /** Longest sequence, in tokens */
  readonly length: number
  /** Of one optimizer step, padding included, at most */
  readonly tokens_per_step: number
  /** Of one optimizer step, padding not counted, on average */
  readonly mean_tokens_per_step: number | null
}

export interface PlannedCheckpointing {
  readonly setting: Recipe['train']['checkpointing']
  readonly chosen: RunShape['checkpointing']
  /** Bytes in all, estimated, with either */
  readonly none: number
  readonly block: number
}

/** A plan and the step that it is about. */
export interface PlannedRun {
  readonly plan: RunPlan
  readonly shape: RunShape
}

/** Errors: FileError for a model without a config that can be used, RecipeError for targets that match nothing. */
export async function planRun(question: PlanQuestion): Promise<PlannedRun> {
  const {device: choice, gpuMemory, place: where = placeInRecipe(question.recipe), recipe} = question
  const config = readMambaConfig(
    trainedConfig(recipe, await readModelConfig(where.model)),
    `${where.model}/config.json`,
  )
  const {available, description, place} = await findPlace(choice, recipe, gpuMemory)
  const {examples, problem} = await findExamples(recipe, where)
  const rows = examples && stepRows(examples, trainSettings(recipe))
  const shape = await decided(stepShape(recipe, config, place, rows), recipe, available)
  const memory = await estimateMemory(shape)
  const fitting = fits(memory.total, available)
  const plan: RunPlan = {
    model: recipe.model.base,
    device: place.device,
    device_description: description,
    precision: place.precision,
    ...parametersOf(shape, config),
    steps: stepsOf(recipe, shape, rows, problem),
    checkpointing: await checkpointingOf(recipe, shape),
    memory,
    available,
    fits: fitting,
    fitting: fitting ? [] : await fittingSettings(shape, available),
    measured: null,
  }
  return {plan, shape}
}

type Parameters = Pick<RunPlan, 'base_parameters' | 'trainable_parameters' | 'trainable_percent' | 'warmup'>

function parametersOf(shape: RunShape, config: MambaConfig): Parameters {
  const base = countParameters(config)
  const first = trainedNumbers(shape.adapters, config) // reports targets that match nothing
  const trainable = trainedNumbers(lastPhases(shape.adapters, config), config)
  const steps = phaseEndOf(shape.adapters)
  return {
    base_parameters: base,
    trainable_parameters: trainable,
    trainable_percent: (100 * trainable) / (base + trainable),
    warmup: steps === null ? null : {steps, trainable_parameters: first},
  }
}

/** Numbers that adapters train. Errors: RecipeError for targets that match nothing. */
export function trainedNumbers(adapters: readonly AdapterSettings[], config: MambaConfig): number {
  return [...parameterSpecs(adapters, config).values()].reduce(
    (total, {frozen, shape}) => total + (frozen ? 0 : sizeOf(shape)),
    0,
  )
}

async function checkpointingOf({train}: Recipe, shape: RunShape): Promise<PlannedCheckpointing> {
  const totalWith = async (checkpointing: RunShape['checkpointing']): Promise<number> =>
    (await estimateMemory({...shape, checkpointing})).total
  return {
    setting: train.checkpointing,
    chosen: shape.checkpointing,
    none: await totalWith('none'),
    block: await totalWith('block'),
  }
}

function stepsOf(recipe: Recipe, {length}: RunShape, rows: StepRows | null, problem: string | null): PlannedSteps {
  const {batch_size: batchSize, gradient_accumulation: accumulation} = recipe.train
  const tokens = rows?.lengths.reduce((sum, length) => sum + length, 0) ?? 0
  return {
    rows: rows?.count ?? null,
    problem,
    steps: rows?.plan.steps ?? null,
    steps_per_epoch: rows?.plan.stepsPerEpoch ?? null,
    batch_size: batchSize,
    gradient_accumulation: accumulation,
    length,
    tokens_per_step: batchSize * accumulation * length,
    mean_tokens_per_step: rows && Math.round(tokens / rows.plan.stepsPerEpoch),
  }
}

/** A plan can be made before the data is there, so what is wrong with it is told, not thrown. */
async function findExamples(
  recipe: Recipe,
  where: ModelPlace,
): Promise<{examples: readonly Example[] | null; problem: string | null}> {
  try {
    return {examples: (await readData(recipe, where)).train.examples, problem: null}
  } catch (error) {
    if (!(error instanceof MambatuneError)) throw error
    const [fault] = error.faults
    return {examples: null, problem: fault ? `${fault.where} ${fault.message}` : error.message}
  }
}

export interface FoundPlace {
  readonly place: Place
  readonly description: string
  readonly available: MemorySize
}

/** Where the run would go. A GPU is looked at if one answers, and taken for a large one if it is asked for and none does. */
export async function findPlace(
  choice: DeviceChoice,
  {model}: {readonly model: Pick<Recipe['model'], 'dtype'>},
  limit: number | null,
): Promise<FoundPlace> {
  const precision = model.dtype === 'f32' ? 'f32' : 'f16'
  if (choice === 'cpu' || choice === 'tensorflow') return onProcessor(choice)
  const opened = await openGpu({checked: false, precision}).catch((error: unknown) => {
    if (error instanceof MambatuneError) return null
    throw error
  })
  if (!opened) {
    if (choice === 'auto') return onProcessor('cpu')
    const available = await gpuMemorySize({limit})
    return {available, description: 'gpu, none answers here', place: {device: 'gpu', precision}}
  }
  const {backend, description, name} = opened
  const {facts} = backend
  opened.close()
  if (choice === 'auto' && description.software) return onProcessor('cpu')
  const gpu: OpenedGpu = {name, software: description.software, vendor: description.vendor}
  return {
    available: await gpuMemorySize({gpu, limit}),
    description: `gpu, ${name}, ${precision}`,
    place: {device: 'gpu', facts, precision},
  }
}

/** The largest heap of the WebAssembly backend is 4 GiB. */
const HEAP_BYTES = 4 * 2 ** 30

function onProcessor(device: 'cpu' | 'tensorflow'): FoundPlace {
  const available: MemorySize =
    device === 'cpu' ? {bytes: HEAP_BYTES, source: 'a WebAssembly heap'} : {bytes: null, source: 'not known'}
  return {available, description: device, place: {device, precision: 'f32'}}
}

/**
 * One real training step of a planned shape, on random tokens, with the GPU's memory counted. What can be told apart is
 * what stays from step to step; the rest is the step's own most.
 */
import {startDevice} from '../backend/devices.js'
import {gpuBackend} from '../backend/gpu/current.js'
import {type GpuBackend} from '../backend/gpu/gpu-backend.js'
import {type ModelFiles, openModelDirectory} from '../checkpoint/model-directory.js'
import {type Batch} from '../data/batches.js'
import {RandomStream} from '../data/random.js'
import {DeviceError} from '../errors.js'
import {type LanguageModel} from '../model/language-model.js'
import {loadModel} from '../model/load-model.js'
import {AdapterSet} from '../peft/adapter-set.js'
import {trainedConfig} from '../recipe/model-norm.js'
import {placeInRecipe} from '../recipe/model-place.js'
import {trainSettings} from '../recipe/settings.js'
import {lossAndGradients} from '../train/batch-loss.js'
import {createOptimizer} from '../train/create-optimizer.js'
import {explainTraining} from '../train/memory-explained.js'
import {type RunShape} from '../train/memory-fit.js'
import {positionsOf, supervisedOf} from '../train/memory-shape.js'
import {type OptimizerSettings} from '../train/optimizer.js'
import {type PlanQuestion} from './plan-question.js'

/** Bytes */
export interface MeasuredStep {
  readonly weights: number
  readonly adapters: number
  readonly optimizer: number
  /** Activations, logits and scratch, at their most */
  readonly step: number
  readonly total: number
  /** With buffers that wait for reuse */
  readonly with_reuse: number
}

export interface StepToMeasure {
  readonly model: string
  /** What becomes of the words of its config; absent: they stay */
  readonly wordsOf?: (words: ModelFiles['config']) => ModelFiles['config']
  readonly shape: RunShape
  readonly optimizer: OptimizerSettings
  readonly seed: number
}

/** Starts the device, runs the step and ends the device. Errors: DeviceError, MemoryError with what would fit. */
export async function measurePlan(
  shape: RunShape,
  {device: choice, gpuMemory, place, recipe}: PlanQuestion,
): Promise<MeasuredStep> {
  const device = await startDevice(choice, {gpuMemory, precision: recipe.model.dtype})
  const available = (await device.memory()) ?? {bytes: null, source: 'not known'}
  try {
    const {optimizer} = trainSettings(recipe)
    return await measureStep({
      model: (place ?? placeInRecipe(recipe)).model,
      optimizer,
      seed: recipe.seed,
      shape,
      wordsOf: (words) => trainedConfig(recipe, words),
    })
  } catch (error) {
    throw await explainTraining(error, shape, {available, measured: gpuBackend()?.gpuMemory() ?? null})
  } finally {
    device.close()
  }
}

/** Runs on the current backend. Errors: DeviceError on another device than the GPU, MemoryError. */
export async function measureStep({
  model: directory,
  optimizer,
  seed,
  shape,
  wordsOf = (words) => words,
}: StepToMeasure): Promise<MeasuredStep> {
  const backend = gpuBackend()
  if (!backend) {
    throw new DeviceError('Memory is measured on the GPU only.', {hint: 'Leave out --measure, or add --device gpu.'})
  }
  const files = await openModelDirectory(directory)
  const model = await loadModel({...files, config: wordsOf(files.config)})
  try {
    return await measureWith(backend, model, {optimizer, seed, shape})
  } finally {
    model.weights.dispose()
  }
}

async function measureWith(
  backend: GpuBackend,
  model: LanguageModel,
  {optimizer: settings, seed, shape}: Omit<StepToMeasure, 'model' | 'wordsOf'>,
): Promise<MeasuredStep> {
  const weights = backend.gpuMemory().live
  const adapters = await AdapterSet.createFor(shape.adapters, model, seed)
  try {
    const withAdapters = backend.gpuMemory().live
    const optimizer = createOptimizer(adapters, settings)
    const before = backend.gpuMemory().live
    backend.resetPeak()
    try {
      const batch = randomBatch(shape, seed)
      const random = new RandomStream(seed, 'dropout', 0)
      const options = {dropout: random, recompute: shape.checkpointing === 'block'}
      const {dispose, gradients} = lossAndGradients({adapters, model}, batch, options)
      await optimizer.accumulate(gradients, 1 / batch.supervisedTokens)
      dispose()
      await optimizer.step(0)
      await backend.finish()
    } finally {
      optimizer.dispose()
    }
    const {mostLive, peak} = backend.gpuMemory()
    return {
      weights,
      adapters: withAdapters - weights,
      optimizer: before - withAdapters,
      step: mostLive - before,
      total: mostLive,
      with_reuse: peak,
    }
  } finally {
    adapters.dispose()
  }
}

/** The shape's batch; labels are where the most of them could be. */
function randomBatch(shape: RunShape, seed: number): Batch {
  const positions = positionsOf(shape)
  const random = new RandomStream(seed, 'plan')
  const {vocabulary} = shape.config
  const ids = Int32Array.from({length: positions}, () => Math.floor(random.uniform() * vocabulary))
  const supervised = supervisedOf(shape)
  const labels = ids.map((id, position) => (position < supervised ? id : -100))
  return {ids, labels, length: shape.length, rows: shape.rows, supervisedTokens: supervised, tokens: positions}
}

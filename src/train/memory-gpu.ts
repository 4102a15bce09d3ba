/**
 * The memory of a step on a GPU, counted in a rehearsal: the very code that trains runs on a GPU on paper, which makes
 * every buffer that a real one would make and fills none. So the count follows whatever the operations keep, free and
 * compute again, and needs neither a GPU nor the weights.
 */
import {type GpuBackend} from '../backend/gpu/gpu-backend.js'
import {LARGE_GPU, rehearse} from '../backend/gpu/rehearsal.js'
import {type Batch} from '../data/batches.js'
import {ignoredLabel} from '../data/dataset.js'
import {randomModel} from '../model/random-model.js'
import {AdapterSet, parameterSpecs} from '../peft/adapter-set.js'
import {batchLoss, lossAndGradients, type LossOptions, type Trainee} from './batch-loss.js'
import {createOptimizer} from './create-optimizer.js'
import {dropoutBytes} from './memory-dropout.js'
import {type StepCount} from './memory-parts.js'
import {positionsOf, sizeOf, type StepShape, supervisedOf} from './memory-shape.js'

/** Forward, backward, and the gradients to the optimizer. */
export function rehearseTraining(shape: StepShape): Promise<StepCount> {
  return onPaper(shape, async (backend, trainee, still) => {
    const before = backend.gpuMemory().live
    const optimizer = createOptimizer(trainee.adapters, {
      beta1: 0,
      beta2: 0,
      clipNorm: null,
      epsilon: 1,
      weightDecay: 0,
    })
    const base = backend.gpuMemory().live
    const count = counter(backend, base)
    const options = {passed: count.passed, recompute: shape.checkpointing === 'block'}
    const {dispose, gradients} = lossAndGradients(trainee, batchOf(shape), options)
    await optimizer.accumulate(gradients, 1)
    dispose()
    const counted = count.result()
    optimizer.dispose()
    return withDropout(shape, {...still, ...counted, optimizer: base - before})
  })
}

/** Masks are made on the host, number by number, which would take a rehearsal longer than all the rest. */
function withDropout(shape: StepShape, count: StepCount): StepCount {
  const {kept, passing} = dropoutBytes(shape)
  const keptBesides = shape.checkpointing === 'block' ? 0 : kept
  return {
    ...count,
    activations: count.activations + keptBesides,
    most: {
      'the backward pass': count.most['the backward pass'] + kept + passing,
      'the forward pass': count.most['the forward pass'] + kept,
      'the loss': count.most['the loss'] + keptBesides,
    },
  }
}

/** The forward pass with its loss, and nothing kept for a gradient. */
export function rehearseEvaluation(shape: StepShape): Promise<StepCount> {
  return onPaper(shape, async (backend, trainee, still) => {
    const count = counter(backend, backend.gpuMemory().live)
    await batchLoss(trainee, batchOf(shape), {passed: count.passed})
    return {...still, ...count.result(), optimizer: 0}
  })
}

type Still = Pick<StepCount, 'adapters' | 'weights'>

function onPaper(
  {adapters: settings, config, facts = LARGE_GPU, precision}: StepShape,
  work: (backend: GpuBackend, trainee: Trainee, still: Still) => Promise<StepCount>,
): Promise<StepCount> {
  return rehearse({facts, precision}, async (backend) => {
    const model = randomModel(config, 0)
    const weights = backend.gpuMemory().live
    const saved = [...parameterSpecs(settings, config)].filter(([, {frozen}]) => frozen !== 'remade')
    const zeros = saved.map(([name, {shape}]) => [name, {shape, values: new Float32Array(sizeOf(shape))}] as const)
    const adapters = AdapterSet.restore(settings, config, new Map(zeros))
    try {
      return await work(backend, {adapters, model}, {adapters: backend.gpuMemory().live - weights, weights})
    } finally {
      adapters.dispose()
      model.weights.dispose()
    }
  })
}

interface Counter {
  readonly passed: NonNullable<LossOptions['passed']>
  readonly result: () => Pick<StepCount, 'activations' | 'most'>
}

/** Counts from now on what is there beside `base`. */
function counter(backend: GpuBackend, base: number): Counter {
  const most = {'the backward pass': 0, 'the forward pass': 0, 'the loss': 0}
  let activations = 0
  const close = (part: keyof typeof most): void => {
    most[part] = backend.gpuMemory().mostLive - base
    backend.resetPeak()
  }
  backend.resetPeak()
  return {
    passed(part) {
      if (part === 'loss') return close('the loss')
      close('the forward pass')
      activations = backend.gpuMemory().live - base
    },
    result() {
      close('the backward pass')
      return {activations, most}
    },
  }
}

function batchOf(shape: StepShape): Batch {
  const positions = positionsOf(shape)
  const supervised = supervisedOf(shape)
  const labels = new Int32Array(positions).fill(ignoredLabel, supervised)
  const {length, rows} = shape
  return {ids: new Int32Array(positions), labels, length, rows, supervisedTokens: supervised, tokens: positions}
}

/**
 * Speed and memory of a model of a given shape on the current device, with random weights and random tokens. A training
 * step is forward, backward, clipping and the update; the median is over steps after a warm-up.
 */
import {gpuBackend} from '../backend/gpu/current.js'
import {type Batch, collate} from '../data/batches.js'
import {RandomStream} from '../data/random.js'
import {type MambaConfig} from '../model/config.js'
import {randomModel} from '../model/random-model.js'
import {AdapterSet} from '../peft/adapter-set.js'
import {type AdapterSettings} from '../peft/method-settings.js'
import {batchLoss, lossAndGradients, type Trainee} from '../train/batch-loss.js'
import {createOptimizer} from '../train/create-optimizer.js'
import {decodeSteps} from './decode-steps.js'
import {type KernelWork, workOf} from './kernel-work.js'

export type BenchmarkMode = 'train' | 'forward' | 'decode'

export interface BenchmarkOptions {
  readonly config: MambaConfig
  readonly adapters: readonly AdapterSettings[]
  readonly mode: BenchmarkMode
  /** Sequences */
  readonly batch: number
  /** Tokens in each; when decoding, tokens that are made for each */
  readonly length: number
  readonly steps: number
  readonly warmup: number
  readonly recompute: boolean
  /** Time per kernel of one more step */
  readonly profile: boolean
  /** Is waited for */
  readonly report?: (done: number, total: number) => void | Promise<void>
}

/** Names are those of `bench --json`. */
export interface BenchmarkResult {
  readonly tokens_per_second: number
  readonly ms_per_step: number
  readonly fastest_ms: number
  readonly slowest_ms: number
  /** null where the device does not count */
  readonly peak_gpu_bytes: number | null
  readonly parameters: number
  readonly trainable_parameters: number
  readonly loss: number | null
  readonly kernels: readonly KernelWork[] | null
}

/** A result with what it is of. */
export interface BenchReport extends BenchmarkResult {
  readonly preset: string
  readonly mode: BenchmarkMode
  readonly batch: number
  readonly length: number
  readonly device: string
}

const SEED = 1

/** Runs it. Errors: MemoryError when it does not fit, DeviceError without timestamps for a profile. */
export async function benchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const {adapters: settings, config} = options
  const model = randomModel(config, SEED)
  const adapters = await AdapterSet.createFor(settings, model, SEED)
  try {
    const {dispose, run} = workload(options, {adapters, model})
    try {
      return {
        ...(await measure(options, run)),
        parameters: model.weights.size,
        trainable_parameters: adapters.size,
      }
    } finally {
      dispose()
    }
  } finally {
    adapters.dispose()
    model.weights.dispose()
  }
}

type Measured = Omit<BenchmarkResult, 'parameters' | 'trainable_parameters'>

async function measure(options: BenchmarkOptions, run: () => Promise<number | null>): Promise<Measured> {
  const {batch, length, profile, report = () => {}, steps, warmup} = options
  const backend = gpuBackend()
  const times: number[] = []
  let loss: number | null = null
  const isAhead = backend !== null && options.mode === 'train'
  // A step that has none behind it is over sooner, so one more is handed over and not counted.
  const total = warmup + steps + (isAhead ? 1 : 0)
  let last = performance.now()
  let under = run()
  for (let step = 0; step < total; step++) {
    if (step === warmup) backend?.resetPeak()
    // Training hands over the next step before it waits for the results of this one; a token needs the one before it.
    const ahead = isAhead && step + 1 < total ? run() : null
    loss = await under
    const now = performance.now()
    if (step >= warmup && step < warmup + steps) times.push(now - last)
    last = now
    await report(Math.min(step + 1, warmup + steps), warmup + steps)
    if (step + 1 < total) under = ahead ?? run()
  }
  times.sort((a, b) => a - b)
  const median = times[Math.floor(times.length / 2)]
  const peak = backend?.gpuMemory().peak ?? null
  const kernels = profile && backend ? workOf(await backend.profile(async () => void (await run()))) : null
  return {
    fastest_ms: times[0],
    kernels,
    loss,
    ms_per_step: median,
    peak_gpu_bytes: peak,
    slowest_ms: times[times.length - 1],
    tokens_per_second: (1000 * batch * length) / median,
  }
}

interface Workload {
  /** One step; gives the mean loss where there is one */
  readonly run: () => Promise<number | null>
  readonly dispose: () => void
}

function workload(options: BenchmarkOptions, trainee: Trainee): Workload {
  if (options.mode === 'decode') return decoding(options, trainee)
  const batch = randomBatch(options)
  const mean = (loss: number): number => loss / batch.supervisedTokens
  if (options.mode === 'forward') {
    return {dispose: () => {}, run: async () => mean(await batchLoss(trainee, batch))}
  }
  const optimizer = createOptimizer(trainee.adapters, {
    beta1: 0.9,
    beta2: 0.999,
    clipNorm: 1,
    epsilon: 1e-8,
    weightDecay: 0,
  })
  return {
    dispose: () => optimizer.dispose(),
    async run() {
      const {dispose, gradients, loss} = lossAndGradients(trainee, batch, {recompute: options.recompute})
      await optimizer.accumulate(gradients, 1 / batch.supervisedTokens)
      const results = Promise.all([loss.data(), optimizer.step(1e-4)])
      dispose()
      const [[sum]] = await results // waits for the device
      return mean(sum)
    },
  }
}

function decoding({batch, config, length}: BenchmarkOptions, {adapters, model}: Trainee): Workload {
  const random = new RandomStream(SEED, 'benchmark')
  const first = Int32Array.from({length: batch}, () => Math.floor(random.uniform() * config.vocabulary))
  const sites = adapters.settledSites(model.weights)
  return {
    dispose: () => {},
    async run() {
      await decodeSteps(model, sites, first, length)
      return null
    },
  }
}

function randomBatch({batch, config, length}: BenchmarkOptions): Batch {
  const random = new RandomStream(SEED, 'benchmark')
  const rows = Array.from({length: batch}, () => {
    const ids = Int32Array.from({length}, () => Math.floor(random.uniform() * config.vocabulary))
    return {ids, labels: ids, where: 'benchmark'}
  })
  return collate(rows)
}

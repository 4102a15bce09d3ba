/**
 * The training loop, in the order things happen. It reports events and writes nothing. The loss is weighted by
 * supervised tokens over the whole effective batch, gradient accumulation included.
 */
import {setImmediate} from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import {type Batch, collate} from '../data/batches.js'
import {RandomStream} from '../data/random.js'
import {type Example} from '../data/rows.js'
import {InterruptedError, NumericError} from '../errors.js'
import {lossAndGradients, type LossOptions, type Trainee} from './batch-loss.js'
import {gpuHost} from '../backend/gpu/current.js'
import {createOptimizer} from './create-optimizer.js'
import {evaluate, type Evaluation} from './evaluate.js'
import {type Optimizer, type OptimizerSettings} from './optimizer.js'
import {evaluationInterval, planSteps, rememberedOrder, rowsOfStep, type RunLength} from './plan.js'
import {rateFactor, type Schedule} from './schedule.js'

export interface TrainSettings extends RunLength {
  readonly seed: number
  readonly shuffle: boolean
  readonly optimizer: OptimizerSettings
  readonly learningRate: number
  readonly schedule: Schedule
  readonly evaluation: {readonly every: number; readonly atStart: boolean}
  /** Compute the activations of each layer again in the backward pass instead of keeping them; no result changes. */
  readonly recompute: boolean
}

/** One optimizer step. Names are those of metrics.jsonl. */
export interface StepEvent {
  readonly event: 'step'
  readonly step: number
  readonly epoch: number
  /** Mean over the step's supervised tokens, in nats */
  readonly loss: number
  /** Global norm before clipping */
  readonly grad_norm: number
  readonly learning_rate: number
  /** Tokens of this step, padding not counted */
  readonly tokens: number
  readonly supervised_tokens: number
  readonly tokens_per_second: number
  /** Seconds since training began, evaluations included */
  readonly elapsed_s: number
}

export interface EvalEvent extends Evaluation {
  readonly event: 'eval'
  /** Steps taken before it */
  readonly step: number
  readonly elapsed_s: number
}

export type TrainEvent = StepEvent | EvalEvent

export interface TrainingRun {
  readonly trainee: Trainee
  readonly train: readonly Example[]
  readonly validation: readonly Example[] | null
  readonly settings: TrainSettings
  readonly signal?: AbortSignal
  readonly report: (event: TrainEvent) => void
  /** Hears how far an evaluation is. */
  readonly reportEvaluation?: (done: number, total: number) => void
}

export interface TrainResult {
  readonly steps: number
  readonly last: StepEvent
  /** Validation before and after; null without a validation set, `before` also without eval.at_start */
  readonly before: Evaluation | null
  readonly after: Evaluation | null
}

/** Trains the adapters in place. Errors: NumericError (a loss or gradient is not finite), InterruptedError. */
export async function train(run: TrainingRun): Promise<TrainResult> {
  const optimizer = createOptimizer(run.trainee.adapters, run.settings.optimizer)
  try {
    return await trainWith(optimizer, run)
  } finally {
    optimizer.dispose()
  }
}

async function trainWith(optimizer: Optimizer, run: TrainingRun): Promise<TrainResult> {
  const {report, settings, signal, trainee} = run
  const {steps, stepsPerEpoch} = planSteps(run.train.length, settings)
  const interval = evaluationInterval(settings.evaluation.every, stepsPerEpoch)
  const orderOf = rememberedOrder(run.train.length, settings)
  const began = performance.now()
  const seconds = (): number => (performance.now() - began) / 1000

  const validate = async (step: number): Promise<Evaluation | null> => {
    if (!run.validation) return null
    const evaluation = await evaluate(trainee, run.validation, {
      batchSize: settings.batchSize,
      ...(run.reportEvaluation && {report: run.reportEvaluation}),
      ...(signal && {signal}),
    })
    report({event: 'eval', step, ...evaluation, elapsed_s: seconds()})
    return evaluation
  }

  const before = settings.evaluation.atStart ? await validate(0) : null
  let after: Evaluation | null = null
  let last: StepEvent | undefined
  let settled = performance.now()
  const settle = async ({learningRate, outcome, work}: HandedOver): Promise<void> => {
    const {gradNorm, loss} = await outcome
    await refuseNonFinite(run, work, {gradNorm, loss})
    const now = performance.now()
    last = {
      elapsed_s: seconds(),
      epoch: (work.step + 1) / stepsPerEpoch,
      event: 'step',
      grad_norm: gradNorm,
      learning_rate: learningRate,
      loss,
      step: work.step + 1,
      supervised_tokens: work.supervisedTokens,
      tokens: work.tokens,
      tokens_per_second: (1000 * work.tokens) / (now - settled),
    }
    settled = now
    report(last)
  }

  // A GPU gets the next step before the results of the last one are waited for, so that it never stands still.
  const isAhead = gpuHost() !== null
  let under: HandedOver | null = null
  for (let step = 0; step < steps; step++) {
    const learningRate = settings.learningRate * rateFactor(settings.schedule, step, steps)
    let next: HandedOver
    try {
      next = await handOver(run, workOfStep(run, step, orderOf), optimizer, learningRate)
    } finally {
      if (under) await settle(under)
      under = null
    }
    const isDue = step + 1 === steps || (step + 1) % interval === 0
    if (isAhead && !isDue) {
      under = next
      continue
    }
    await settle(next)
    if (isDue) after = await validate(step + 1)
    settled = performance.now()
  }
  if (!last) throw new NumericError('The run has no steps.')
  return {after, before, last, steps}
}

/** A step that the device has been given, and what will come of it. */
interface HandedOver {
  readonly work: StepWork
  readonly learningRate: number
  readonly outcome: Promise<StepOutcome>
}

/** What goes into one step. */
interface StepWork {
  /** From 0 */
  readonly step: number
  /** Micro-batches */
  readonly batches: readonly Batch[]
  readonly tokens: number
  readonly supervisedTokens: number
  /** 'file:line' of every row */
  readonly rows: readonly string[]
}

function workOfStep(
  {settings, train: examples}: TrainingRun,
  step: number,
  orderOf: (epoch: number) => Int32Array,
): StepWork {
  const rows = rowsOfStep(step, examples.length, settings, orderOf).map((indices) =>
    Array.from(indices, (row) => examples[row]),
  )
  const batches = rows.map((chosen) => collate(chosen))
  return {
    batches,
    rows: rows.flat().map(({where}) => where),
    step,
    supervisedTokens: batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0),
    tokens: batches.reduce((sum, batch) => sum + batch.tokens, 0),
  }
}

interface StepOutcome {
  /** Mean over all supervised tokens of the micro-batches */
  readonly loss: number
  readonly gradNorm: number
}

/** Gives the device one step with the gradient of the mean loss over all supervised tokens of the micro-batches. */
async function handOver(
  {settings, signal, trainee}: TrainingRun,
  work: StepWork,
  optimizer: Optimizer,
  learningRate: number,
): Promise<HandedOver> {
  const {batches, step, supervisedTokens} = work
  const options = lossOptions(settings, step)
  const losses: tf.Scalar[] = []
  try {
    for (const batch of batches) {
      await setImmediate() // let the terminal repaint and signals arrive
      if (signal?.aborted) throw new InterruptedError(`Stopped after step ${step}.`)
      const {gradients, loss} = lossAndGradients(trainee, batch, options)
      losses.push(loss)
      await optimizer.accumulate(gradients, 1 / supervisedTokens) // waits for nothing on the GPU
      tf.dispose([...gradients.values()])
    }
    const outcome = outcomeOf(optimizer.step(learningRate), losses, supervisedTokens)
    outcome.catch(() => {}) // whoever settles the step hears of it
    return {learningRate, outcome, work}
  } finally {
    tf.dispose(losses)
  }
}

/** The one wait for the device in a step. All values are asked for at the call, before any is waited for. */
async function outcomeOf(
  norm: Promise<number>,
  losses: readonly tf.Scalar[],
  supervisedTokens: number,
): Promise<StepOutcome> {
  const [gradNorm, ...sums] = await Promise.all([norm, ...losses.map((loss) => loss.data())])
  return {gradNorm, loss: sums.reduce((sum, [loss]) => sum + loss, 0) / supervisedTokens}
}

/** For all micro-batches of a step: they draw their dropout masks from one stream, one after another. */
function lossOptions({recompute, seed}: TrainSettings, step: number): LossOptions {
  return {dropout: new RandomStream(seed, 'dropout', step), recompute}
}

async function refuseNonFinite(run: TrainingRun, work: StepWork, {gradNorm, loss}: StepOutcome): Promise<void> {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return
  const what = Number.isFinite(loss)
    ? `the gradient of ${(await nonFiniteGradient(run, work)) ?? 'the adapters'}`
    : `the loss (${loss})`
  throw new NumericError(`Step ${work.step + 1} stopped: ${what} is not finite.`, {
    faults: work.rows.map((where) => ({message: 'was in this step', where})),
    hint: 'Lower train.optimizer.learning_rate, or set train.clip_norm to 1.0 or less.',
  })
}

/** The first tensor whose gradient is not finite. The step has changed nothing, so computing it again gives the same. */
async function nonFiniteGradient({settings, trainee}: TrainingRun, {batches, step}: StepWork): Promise<string | null> {
  const options = lossOptions(settings, step)
  for (const batch of batches) {
    const {dispose, gradients} = lossAndGradients(trainee, batch, options)
    try {
      for (const [name, gradient] of gradients) {
        const values = await gradient.data<'float32'>() // waits for the device; the run is over anyway
        if (values.some((value) => !Number.isFinite(value))) return name
      }
    } finally {
      dispose()
    }
  }
  return null
}

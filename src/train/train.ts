/**
 * The training loop, in the order things happen. It reports events and writes nothing. The loss is weighted by
 * supervised tokens over the whole effective batch, gradient accumulation included.
 */
import {setImmediate} from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../data/random.js'
import {InterruptedError, interruption, NumericError} from '../errors.js'
import {lossAndGradients, type LossOptions} from './batch-loss.js'
import {gpuHost} from '../backend/gpu/current.js'
import {createOptimizer} from './create-optimizer.js'
import {evaluate, type Evaluation} from './evaluate.js'
import {type StepEvent} from './events.js'
import {notFinite, whatIsNotFinite} from './non-finite.js'
import {type Optimizer} from './optimizer.js'
import {evaluationInterval, planSteps, rememberedOrder, type StepPlan} from './plan.js'
import {NOT_BEGUN, type Progress} from './progress.js'
import {rateFactor} from './schedule.js'
import {watchLoss} from './spike-watch.js'
import {type StepWork, workOfStep} from './step-work.js'
import {tensorRates} from './tensor-rates.js'
import {type TrainingRun, type TrainResult, type TrainSettings} from './training-run.js'

/**
 * Trains the adapters in place. When it is stopped, the steps done are saved first. Errors: NumericError (something is not
 * finite), InterruptedError.
 */
export async function train(run: TrainingRun): Promise<TrainResult> {
  const loop = new TrainingLoop(run)
  try {
    return await loop.run()
  } catch (error) {
    if (error instanceof InterruptedError) await loop.save()
    throw error
  } finally {
    loop.dispose()
  }
}

function optimizerOf({settings, trainee: {adapters}}: TrainingRun): Optimizer {
  return createOptimizer(adapters, {...settings.optimizer, rates: tensorRates(adapters, settings.learningRate)})
}

class TrainingLoop {
  private progress: Progress
  /** The step of the last checkpoint */
  private saved: number
  private readonly plan: StepPlan
  private readonly interval: number
  private readonly orderOf: (epoch: number) => Int32Array
  private readonly began: number
  private settled = performance.now()

  private optimizer: Optimizer

  constructor(private readonly training: TrainingRun) {
    const {from = null, settings, train: rows} = training
    this.progress = from?.progress ?? NOT_BEGUN
    this.saved = this.progress.step
    this.optimizer = optimizerOf(training)
    if (from) this.optimizer.restore(from.optimizer)
    this.plan = planSteps(rows.length, settings)
    this.interval = evaluationInterval(settings.evaluation.every, this.plan.stepsPerEpoch)
    this.orderOf = rememberedOrder(rows.length, settings)
    this.began = performance.now() - 1000 * this.progress.elapsed_s
  }

  async run(): Promise<TrainResult> {
    const {settings} = this.training
    const {steps} = this.plan
    const first = this.progress.step
    if (first === 0 && settings.evaluation.atStart) this.note({before: await this.validate()})
    if (first > 0 && !this.progress.evaluated && this.isEvaluationDue()) await this.evaluateNow()
    this.settled = performance.now()
    // A GPU gets the next step before the results of the last one are waited for, so that it never stands still. Where
    // steps may be skipped, whether one was has to be known before the next: it decides the optimizer's step number.
    const isAhead = gpuHost() !== null && settings.maxSkips === 0
    let under: HandedOver | null = null
    for (let step = first; step < steps; step++) {
      if (this.isPhaseEnd(step)) await this.beginPhase()
      const {phase} = this.progress
      const learningRate = settings.learningRate * rateFactor(settings.schedule, step - phase, steps - phase)
      let next: HandedOver
      try {
        next = await handOver(
          this.training,
          workOfStep(this.training, step, this.orderOf),
          this.optimizer,
          learningRate,
        )
      } finally {
        if (under) await this.settle(under)
        under = null
      }
      if (isAhead && !this.isPauseAfter(step + 1)) {
        under = next
        continue
      }
      await this.settle(next)
      if (this.isEvaluationDue()) await this.evaluateNow()
      if (this.isCheckpointDue()) await this.save()
      this.settled = performance.now()
    }
    if (this.saved !== steps) await this.save()
    const {after, before, last} = this.progress
    if (!last) throw new NumericError('No step of the run changed anything.')
    return {after, before, last, steps}
  }

  dispose(): void {
    this.optimizer.dispose()
  }

  /** Hands what the run needs to go on to whoever keeps it; nothing before the first step. */
  async save(): Promise<void> {
    const {checkpoints} = this.training
    if (!checkpoints || this.progress.step === 0) return
    this.note({elapsed_s: this.seconds()})
    await checkpoints.save({optimizer: await this.optimizer.state(), progress: this.progress})
    this.saved = this.progress.step
  }

  /** Waits for a step and reports it. */
  private async settle({learningRate, outcome, work}: HandedOver): Promise<void> {
    const {gradNorm, loss} = await outcome
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) return this.skip(work, loss)
    const now = performance.now()
    const step = work.step + 1
    const {losses} = this.progress
    const watched = watchLoss(losses, loss)
    const last: StepEvent = {
      elapsed_s: this.seconds(),
      epoch: step / this.plan.stepsPerEpoch,
      event: 'step',
      grad_norm: gradNorm,
      learning_rate: learningRate,
      loss,
      step,
      supervised_tokens: work.supervisedTokens,
      tokens: work.tokens,
      tokens_per_second: (1000 * work.tokens) / (now - this.settled),
    }
    this.settled = now
    this.note({evaluated: false, last, losses: watched.after, step})
    this.training.report(last)
    if (watched.isSpike) {
      this.training.report({deviation: Math.sqrt(losses.variance), event: 'spike', loss, mean: losses.mean, step})
    }
  }

  /** A step that is not finite has changed nothing; it ends the run unless it may be skipped. */
  private async skip({batches, rows, step}: StepWork, loss: number): Promise<void> {
    const {report, settings, trainee} = this.training
    const bad = {batches, loss, options: lossOptions(settings, step), rows, step: step + 1}
    const reason = await whatIsNotFinite(trainee, bad)
    const skipped = this.progress.skipped + 1
    if (settings.maxSkips === 0) throw notFinite(bad, reason)
    if (skipped > settings.maxSkips) {
      throw notFinite(bad, reason, `, and ${settings.maxSkips} steps were skipped before`)
    }
    this.note({evaluated: false, skipped, step: step + 1})
    report({event: 'skip', reason, rows, skipped, step: step + 1})
  }

  /** Some parameters become others. Moments would be of those before, so the optimizer and the schedule begin anew with them. */
  private async beginPhase(): Promise<void> {
    const {report, settings, trainee} = this.training
    const {step} = this.progress
    this.optimizer.dispose()
    const methods = await trainee.adapters.beginPhase(step, settings.seed)
    this.optimizer = optimizerOf(this.training)
    this.note({phase: step})
    report({elapsed_s: this.seconds(), event: 'phase', methods, step, trainable: trainee.adapters.size})
  }

  private async evaluateNow(): Promise<void> {
    this.note({after: await this.validate(), evaluated: true})
  }

  private async validate(): Promise<Evaluation | null> {
    const {report, reportEvaluation, settings, signal, trainee, validation} = this.training
    if (!validation) return null
    const evaluation = await evaluate(trainee, validation, {
      batchSize: settings.batchSize,
      ...(reportEvaluation && {report: reportEvaluation}),
      ...(signal && {signal}),
    })
    report({event: 'eval', step: this.progress.step, ...evaluation, elapsed_s: this.seconds()})
    return evaluation
  }

  /** Whether the results of step `step` (from 1) are wanted before the next one is begun. */
  private isPauseAfter(step: number): boolean {
    return this.isEvaluationDue(step) || this.isCheckpointDue(step) || this.isPhaseEnd(step)
  }

  private isPhaseEnd(step: number): boolean {
    const {phaseEnd} = this.training.trainee.adapters
    return phaseEnd !== null && phaseEnd <= step
  }

  private isEvaluationDue(step = this.progress.step): boolean {
    return step === this.plan.steps || step % this.interval === 0
  }

  private isCheckpointDue(step = this.progress.step): boolean {
    const every = this.training.checkpoints?.every ?? null
    return every !== null && step % every === 0
  }

  private note(news: Partial<Progress>): void {
    this.progress = {...this.progress, ...news}
  }

  private seconds(): number {
    return (performance.now() - this.began) / 1000
  }
}

/** A step that the device has been given, and what will come of it. */
interface HandedOver {
  readonly work: StepWork
  readonly learningRate: number
  readonly outcome: Promise<StepOutcome>
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
      if (signal?.aborted) throw interruption(signal, `Stopped after step ${step}.`)
      const {gradients, loss} = lossAndGradients(trainee, batch, options)
      losses.push(loss)
      await optimizer.accumulate(gradients, 1 / supervisedTokens) // waits for nothing on the GPU
      tf.dispose([...gradients.values()])
    }
    const norm = settings.maxSkips === 0 ? optimizer.step(learningRate) : stepIfFinite(optimizer, losses, learningRate)
    const outcome = outcomeOf(norm, losses, supervisedTokens)
    outcome.catch(() => {}) // whoever settles the step hears of it
    return {learningRate, outcome, work}
  } finally {
    tf.dispose(losses)
  }
}

/** A step unless a loss is not finite, which a gradient may not show: gives the norm, or NaN. Asks for the losses at the call. */
async function stepIfFinite(optimizer: Optimizer, losses: readonly tf.Scalar[], learningRate: number): Promise<number> {
  const values = await Promise.all(losses.map((loss) => loss.data()))
  if (values.every(([loss]) => Number.isFinite(loss))) return optimizer.step(learningRate)
  optimizer.discard()
  return Number.NaN
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

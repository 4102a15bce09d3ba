/**
 * The training loop, in the order things happen. It reports events and writes nothing. The loss is weighted by
 * supervised tokens over the whole effective batch, gradient accumulation included.
 */
import {InterruptedError, NumericError} from '../errors.js'
import {gpuHost} from '../backend/gpu/current.js'
import {CarriedState} from './carried-state.js'
import {createOptimizer} from './create-optimizer.js'
import {evaluate, type Evaluation} from './evaluate.js'
import {evaluateCarried} from './evaluate-carried.js'
import {type StepEvent} from './events.js'
import {groupNorms} from './gradient-groups.js'
import {handOver, type HandedOver, lossOptions} from './hand-over.js'
import {notFinite, whatIsNotFinite} from './non-finite.js'
import {type Optimizer} from './optimizer.js'
import {evaluationInterval} from './plan.js'
import {hasEnded, NOT_BEGUN, type Progress, type Snapshot} from './progress.js'
import {rateFactor} from './schedule.js'
import {watchLoss} from './spike-watch.js'
import {type StepRows, stepRows} from './step-rows.js'
import {type StepWork} from './step-work.js'
import {tensorRates} from './tensor-rates.js'
import {type TrainingRun, type TrainResult} from './training-run.js'
import {watchValidation} from './validation-watch.js'

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
  private readonly rows: StepRows
  private readonly carried: CarriedState | null
  private readonly interval: number
  private bestValues: Snapshot['bestValues']
  private readonly began: number
  private settled = performance.now()
  private optimizer: Optimizer

  constructor(private readonly training: TrainingRun) {
    const {from = null, settings, train: examples} = training
    this.progress = from?.progress ?? NOT_BEGUN
    this.saved = this.progress.step
    this.optimizer = optimizerOf(training)
    if (from) this.optimizer.restore(from.optimizer)
    this.bestValues = from?.bestValues ?? null
    this.rows = stepRows(examples, settings)
    this.carried =
      this.rows.carried > 0
        ? CarriedState.create(training.trainee.model.config.layers, this.rows.carried, from?.carried ?? null)
        : null
    this.interval = evaluationInterval(settings.evaluation.every, this.rows.plan.stepsPerEpoch)
    this.began = performance.now() - 1000 * this.progress.elapsed_s
  }

  async run(): Promise<TrainResult> {
    const {settings} = this.training
    const {steps} = this.rows.plan
    const first = this.progress.step
    if (first === 0 && settings.evaluation.atStart) {
      await this.sample()
      this.note({before: await this.validate()})
    }
    if (first > 0 && !this.progress.evaluated && this.isEvaluationDue()) await this.evaluateNow()
    this.settled = performance.now()
    // A GPU gets the next step before the results of the last one are waited for, so that it never stands still. Where
    // steps may be skipped, whether one was has to be known before the next: it decides the optimizer's step number.
    const isAhead = gpuHost() !== null && settings.maxSkips === 0
    let under: HandedOver | null = null
    for (let step = first; step < steps && !this.hasEnded(); step++) {
      if (this.isPhaseEnd(step)) await this.beginPhase()
      const {phase} = this.progress
      const over = Math.min(1, this.seconds() / (settings.maxSeconds ?? Infinity))
      const learningRate = settings.learningRate * rateFactor(settings.schedule, step - phase, steps - phase, over)
      let next: HandedOver
      try {
        next = await handOver(this.training, this.rows.work(step), {
          carried: this.carried,
          isGauged: this.isGaugeDue(step + 1),
          learningRate,
          optimizer: this.optimizer,
        })
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
    if (under) await this.settle(under) // time ended the run
    if (!this.progress.evaluated) await this.evaluateNow()
    if (this.saved !== this.progress.step) await this.save()
    const {after, before, best, last, step} = this.progress
    if (!last) throw new NumericError('No step of the run changed anything.')
    return {after, before, best, bestValues: this.bestValues ?? null, last, steps: step}
  }

  /** Hands what the run needs to go on to whoever keeps it; nothing before the first step. */
  async save(): Promise<void> {
    const {checkpoints} = this.training
    if (!checkpoints || this.progress.step === 0) return
    this.note({elapsed_s: this.seconds()})
    const {bestValues = null} = this
    const carried = (await this.carried?.values()) ?? null
    await checkpoints.save({bestValues, carried, optimizer: await this.optimizer.state(), progress: this.progress})
    this.saved = this.progress.step
  }

  dispose(): void {
    this.carried?.dispose()
    this.optimizer.dispose()
  }

  /** Waits for a step and reports it. */
  private async settle({learningRate, norms, outcome, work}: HandedOver): Promise<void> {
    const {gradNorm, loss} = await outcome
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) return this.skip(work, loss)
    const now = performance.now()
    const step = work.step + 1
    const {losses} = this.progress
    const watched = watchLoss(losses, loss)
    const last: StepEvent = {
      elapsed_s: this.seconds(),
      epoch: step / this.rows.plan.stepsPerEpoch,
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
    if (norms) this.training.report({event: 'gauge', grad_norms: groupNorms(await norms), step})
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
    // What was best, was of other parameters.
    this.bestValues = null
    this.note({best: null, phase: step, reference: null, waited: 0})
    report({elapsed_s: this.seconds(), event: 'phase', methods, step, trainable: trainee.adapters.size})
  }

  private async evaluateNow(): Promise<void> {
    await this.sample()
    const after = await this.validate()
    this.note({after, evaluated: true})
    if (after) await this.judge(after)
  }

  /** Whether this evaluation is the best so far, and whether it is the one too many that ends the run. */
  private async judge({loss}: Evaluation): Promise<void> {
    const {report, settings, trainee} = this.training
    const {step} = this.progress
    const {isBest, ...watched} = watchValidation(this.progress, {loss, step}, settings.earlyStopping?.minDelta ?? 0)
    this.note(watched)
    if (isBest && settings.keepBest) this.bestValues = await trainee.adapters.values()
    if (watched.best && watched.waited >= (settings.earlyStopping?.patience ?? Infinity)) {
      report({best_loss: watched.best.loss, best_step: watched.best.step, event: 'early_stop', step})
    }
  }

  /** Before the evaluation of the same step, so that a run which is stopped here does both again. */
  private async sample(): Promise<void> {
    const {step} = this.progress
    for (const sample of (await this.training.sample?.()) ?? []) {
      this.training.report({event: 'sample', step, ...sample})
    }
  }

  private async validate(): Promise<Evaluation | null> {
    const {report, reportEvaluation, settings, signal, trainee, validation} = this.training
    if (!validation) return null
    const options = {
      batchSize: settings.batchSize,
      ...(reportEvaluation && {report: reportEvaluation}),
      ...(signal && {signal}),
    }
    const {layout} = settings
    const evaluation =
      layout?.kind === 'carried'
        ? await evaluateCarried(trainee, validation, {...options, length: layout.length})
        : await evaluate(trainee, validation, options)
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
    return step === this.rows.plan.steps || step % this.interval === 0
  }

  private isGaugeDue(step: number): boolean {
    const {gaugeEvery} = this.training.settings
    return gaugeEvery !== undefined && (step === 1 || step === this.rows.plan.steps || step % gaugeEvery === 0)
  }

  private isCheckpointDue(step = this.progress.step): boolean {
    const every = this.training.checkpoints?.every ?? null
    return every !== null && step % every === 0
  }

  private hasEnded(): boolean {
    return hasEnded({...this.progress, elapsed_s: this.seconds()}, this.rows.plan.steps, this.training.settings)
  }

  private note(news: Partial<Progress>): void {
    this.progress = {...this.progress, ...news}
  }

  private seconds(): number {
    return (performance.now() - this.began) / 1000
  }
}

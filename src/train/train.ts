/**
 * The training loop, in the order things happen. It reports events and writes nothing. The loss is weighted by
 * supervised tokens over the whole effective batch, gradient accumulation included.
 */
import {setImmediate} from 'node:timers/promises'
import {collate} from '../data/batches.js'
import {RandomStream} from '../data/random.js'
import {type Example} from '../data/rows.js'
import {InterruptedError, NumericError} from '../errors.js'
import {lossAndGradients, type Trainee} from './batch-loss.js'
import {evaluate, type Evaluation} from './evaluate.js'
import {AdamW, type Gradients, globalNorm, type OptimizerSettings} from './optimizer.js'
import {evaluationInterval, planSteps, rememberedOrder, rowsOfStep, type RunLength} from './plan.js'
import {rateFactor, type Schedule} from './schedule.js'

export interface TrainSettings extends RunLength {
  readonly seed: number
  readonly shuffle: boolean
  readonly optimizer: OptimizerSettings
  readonly learningRate: number
  readonly schedule: Schedule
  readonly evaluation: {readonly every: number; readonly atStart: boolean}
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
  const {report, settings, signal, trainee} = run
  const {steps, stepsPerEpoch} = planSteps(run.train.length, settings)
  const interval = evaluationInterval(settings.evaluation.every, stepsPerEpoch)
  const optimizer = new AdamW(trainee.adapters.variables, settings.optimizer)
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
  for (let step = 0; step < steps; step++) {
    const start = performance.now()
    const result = await gradientsOfStep(run, step, orderOf)
    const gradNorm = globalNorm(result.gradients)
    refuseNonFinite(step, result, gradNorm)
    const learningRate = settings.learningRate * rateFactor(settings.schedule, step, steps)
    optimizer.step(result.gradients, learningRate, gradNorm)
    last = {
      elapsed_s: seconds(),
      epoch: (step + 1) / stepsPerEpoch,
      event: 'step',
      grad_norm: gradNorm,
      learning_rate: learningRate,
      loss: result.loss,
      step: step + 1,
      supervised_tokens: result.supervisedTokens,
      tokens: result.tokens,
      tokens_per_second: (1000 * result.tokens) / (performance.now() - start),
    }
    report(last)
    if (step + 1 === steps || (step + 1) % interval === 0) after = await validate(step + 1)
  }
  if (!last) throw new NumericError('The run has no steps.')
  return {after, before, last, steps}
}

interface StepGradients {
  readonly gradients: Gradients
  readonly loss: number
  readonly tokens: number
  readonly supervisedTokens: number
  /** 'file:line' of every row */
  readonly rows: readonly string[]
}

/** Gradients of the mean loss over all supervised tokens of the step's micro-batches. */
async function gradientsOfStep(
  {settings, signal, train: examples, trainee}: TrainingRun,
  step: number,
  orderOf: (epoch: number) => Int32Array,
): Promise<StepGradients> {
  const rows = rowsOfStep(step, examples.length, settings, orderOf).map((indices) =>
    Array.from(indices, (row) => examples[row]),
  )
  const batches = rows.map((chosen) => collate(chosen))
  const supervisedTokens = batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0)
  const dropout = new RandomStream(settings.seed, 'dropout', step)
  const total = new Map<string, Float32Array>()
  let loss = 0
  for (const batch of batches) {
    await setImmediate() // let the terminal repaint and signals arrive
    if (signal?.aborted) throw new InterruptedError(`Stopped after step ${step}.`)
    const part = lossAndGradients(trainee, batch, supervisedTokens, dropout)
    loss += part.loss
    for (const [name, gradient] of part.gradients) addTo(total, name, gradient)
  }
  return {
    gradients: total,
    loss: loss / supervisedTokens,
    rows: rows.flat().map(({where}) => where),
    supervisedTokens,
    tokens: batches.reduce((sum, batch) => sum + batch.tokens, 0),
  }
}

function addTo(total: Map<string, Float32Array>, name: string, gradient: Float32Array): void {
  const sum = total.get(name)
  if (!sum) total.set(name, gradient)
  else for (let i = 0; i < sum.length; i++) sum[i] += gradient[i]
}

function refuseNonFinite(step: number, {gradients, loss, rows}: StepGradients, gradNorm: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return
  const tensor = [...gradients].find(([, gradient]) => gradient.some((value) => !Number.isFinite(value)))
  const what = Number.isFinite(loss) ? `the gradient of ${tensor?.[0] ?? 'the adapters'}` : `the loss (${loss})`
  throw new NumericError(`Step ${step + 1} stopped: ${what} is not finite.`, {
    faults: rows.map((where) => ({message: 'was in this step', where})),
    hint: 'Lower train.optimizer.learning_rate, or set train.clip_norm to 1.0 or less.',
  })
}

/**
 * One optimizer step given to the device, and what will come of it: the gradient of the mean loss over all supervised tokens of its
 * micro-batches. Nothing here waits for the device.
 */
import {setImmediate} from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import {RandomStream} from '../data/random.js'
import {interruption} from '../errors.js'
import {lossAndGradients, type LossOptions} from './batch-loss.js'
import {type CarriedState} from './carried-state.js'
import {type Optimizer} from './optimizer.js'
import {type StepWork} from './step-work.js'
import {type TrainingRun, type TrainSettings} from './training-run.js'

/** A step that the device has been given, and what will come of it. */
export interface HandedOver {
  readonly work: StepWork
  readonly learningRate: number
  readonly outcome: Promise<StepOutcome>
  /** Of the gradient, by tensor; null where they are not asked for */
  readonly norms: Promise<ReadonlyMap<string, number>> | null
}

interface StepOutcome {
  /** Mean over all supervised tokens of the micro-batches */
  readonly loss: number
  readonly gradNorm: number
}

export interface StepTools {
  readonly optimizer: Optimizer
  readonly learningRate: number
  /** Whether the norms of the gradient are wanted tensor by tensor */
  readonly isGauged: boolean
  /** null where no batch goes on with what another left */
  readonly carried: CarriedState | null
}

/** Gives the device one step with the gradient of the mean loss over all supervised tokens of the micro-batches. */
export async function handOver(
  {settings, signal, trainee}: TrainingRun,
  work: StepWork,
  {carried, isGauged, learningRate, optimizer}: StepTools,
): Promise<HandedOver> {
  const {batches, step, supervisedTokens} = work
  const options = lossOptions(settings, step)
  const losses: tf.Scalar[] = []
  carried?.abandon()
  try {
    for (const batch of batches) {
      await setImmediate() // let the terminal repaint and signals arrive
      if (signal?.aborted) throw interruption(signal, `Stopped after step ${step}.`)
      const {gradients, loss, state} = lossAndGradients(trainee, batch, {
        ...options,
        ...(carried && {state: carried.current}),
      })
      losses.push(loss)
      if (state) carried?.advance(state)
      await optimizer.accumulate(gradients, 1 / supervisedTokens) // waits for nothing on the GPU
      tf.dispose([...gradients.values()])
    }
    const norms = isGauged ? optimizer.gradientNorms() : null
    norms?.catch(() => {}) // whoever settles the step hears of it
    const norm = settings.maxSkips === 0 ? optimizer.step(learningRate) : stepIfFinite(optimizer, losses, learningRate)
    carried?.commit()
    const outcome = outcomeOf(norm, losses, supervisedTokens)
    outcome.catch(() => {}) // whoever settles the step hears of it
    return {learningRate, norms, outcome, work}
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
export function lossOptions({recompute, seed}: TrainSettings, step: number): LossOptions {
  return {dropout: new RandomStream(seed, 'dropout', step), recompute}
}

/**
 * The proof that a merge is right: base + adapter and the merged files, run on the same batches, compared in logits and
 * loss. The tolerance follows from the stored number format, because every weight that changes is rounded to it once.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type Batch} from '../data/batches.js'
import {type SafetensorsDtype} from '../checkpoint/dtypes.js'
import {forward, type LanguageModel, logitsOf, summedLoss} from '../model/language-model.js'
import {type Sites} from '../model/sites.js'

export interface Certificate {
  /** Largest |attached − merged| over all logits, divided by the largest |attached| */
  readonly logits_difference: number
  /** The same difference between the bare base and base + adapter: what the adapter does. Compare the two. */
  readonly adapter_effect: number
  readonly loss_attached: number
  readonly loss_merged: number
  /** |attached − merged|, in nats */
  readonly loss_difference: number
  /** Share of positions whose most probable token is the same */
  readonly same_top_token: number
  readonly tolerance: number
  readonly number_format: string
  readonly batches: number
  readonly tokens: number
  readonly passed: boolean
}

/** Unit roundoff of a stored format: half the gap to the next number above 1. */
const ROUNDOFF: Readonly<Record<string, number>> = {BF16: 2 ** -8, F16: 2 ** -11, F32: 2 ** -24, F64: 2 ** -24}

/** f32 sums in another order, through all layers. */
const F32_SUMS = 1e-4

/**
 * Tolerance for a merge that rounded these tensors, stored in these formats. Each of m rounded tensors adds an
 * independent relative error of about u / √3; they add up as √m; the largest of many logits is some five deviations out:
 * together 3 √m u, with u the roundoff of the coarsest format.
 */
export function mergeTolerance(rounded: readonly SafetensorsDtype[]): {tolerance: number; format: string} {
  const format = [...rounded].sort((a, b) => ROUNDOFF[b] - ROUNDOFF[a])[0] ?? 'F32'
  return {format, tolerance: F32_SUMS + 3 * Math.sqrt(rounded.length) * (ROUNDOFF[format] ?? 0)}
}

/** One side's answer to one batch. */
export interface Compared {
  readonly logits: Float32Array
  readonly loss: number
}

async function run(model: LanguageModel, sites: Sites, batch: Batch): Promise<Compared> {
  const [logits, loss] = tf.tidy(() => {
    const shape: [number, number] = [batch.rows, batch.length]
    const {hidden} = forward(model, sites, tf.tensor2d(batch.ids, shape, 'int32')) // (B, L, d)
    return [logitsOf(model, sites, hidden), summedLoss(model, sites, hidden, tf.tensor2d(batch.labels, shape, 'int32'))]
  })
  try {
    const [allLogits, [sum]] = await Promise.all([logits.data<'float32'>(), loss.data()]) // waits for the device
    return {logits: allLogits.slice(), loss: sum}
  } finally {
    tf.dispose([logits, loss])
  }
}

/** One side's answers to all batches; kept on the host so that only one model is on the device at a time. */
export async function answers(
  model: LanguageModel,
  sites: Sites,
  batches: readonly Batch[],
): Promise<readonly Compared[]> {
  const all: Compared[] = []
  for (const batch of batches) all.push(await run(model, sites, batch))
  return all
}

/** The three sides' answers to the same batches. */
export interface Sides {
  readonly base: readonly Compared[]
  readonly attached: readonly Compared[]
  readonly merged: readonly Compared[]
}

export function certify(
  {attached, base, merged}: Sides,
  batches: readonly Batch[],
  {format, tolerance}: ReturnType<typeof mergeTolerance>,
): Certificate {
  const supervised = batches.reduce((sum, batch) => sum + batch.supervisedTokens, 0)
  const mean = (side: readonly Compared[]): number => side.reduce((sum, {loss}) => sum + loss, 0) / supervised
  const lossAttached = mean(attached)
  const lossMerged = mean(merged)
  const lossDifference = Math.abs(lossAttached - lossMerged)
  const difference = relativeDifference(attached, merged)
  return {
    adapter_effect: relativeDifference(attached, base),
    batches: batches.length,
    logits_difference: difference,
    loss_attached: lossAttached,
    loss_difference: lossDifference,
    loss_merged: lossMerged,
    number_format: format,
    passed: difference <= tolerance && lossDifference <= tolerance * Math.max(1, lossAttached),
    same_top_token: sameTopToken(attached, merged, batches),
    tokens: batches.reduce((sum, batch) => sum + batch.tokens, 0),
    tolerance,
  }
}

/** Largest difference of any logit, divided by the largest logit of the first side. */
function relativeDifference(side: readonly Compared[], others: readonly Compared[]): number {
  let difference = 0
  let largest = 0
  for (const [index, {logits}] of side.entries()) {
    const other = others[index].logits
    for (let i = 0; i < logits.length; i++) {
      largest = Math.max(largest, Math.abs(logits[i]))
      const gap = Math.abs(logits[i] - other[i])
      if (!(gap <= difference)) difference = Number.isNaN(gap) ? Infinity : gap
    }
  }
  return difference / largest
}

function sameTopToken(side: readonly Compared[], others: readonly Compared[], batches: readonly Batch[]): number {
  let same = 0
  let positions = 0
  for (const [index, {logits}] of side.entries()) {
    const vocabulary = logits.length / batches[index].ids.length
    for (let from = 0; from < logits.length; from += vocabulary) {
      positions += 1
      if (top(logits, from, vocabulary) === top(others[index].logits, from, vocabulary)) same += 1
    }
  }
  return same / positions
}

function top(logits: Float32Array, from: number, count: number): number {
  let best = from
  for (let i = from + 1; i < from + count; i++) if (logits[i] > logits[best]) best = i
  return best - from
}

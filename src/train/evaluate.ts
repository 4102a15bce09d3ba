/** Mean loss over all supervised tokens of a set, as transformers computes it for one long batch. */
import {setImmediate} from 'node:timers/promises'
import {collate} from '../data/batches.js'
import {type Example} from '../data/rows.js'
import {interruption, NumericError} from '../errors.js'
import {batchLoss, type Trainee} from './batch-loss.js'

export interface Evaluation {
  /** Mean cross-entropy per supervised token, in nats */
  readonly loss: number
  /** e^loss */
  readonly perplexity: number
  /** Tokens read, padding not counted */
  readonly tokens: number
  readonly supervised_tokens: number
}

export interface EvaluationOptions {
  readonly batchSize: number
  readonly signal?: AbortSignal
  /** Hears after each batch how many examples of how many are done. */
  readonly report?: (done: number, total: number) => void
}

/** Rows are taken in order of length, so that little is padded; a row's loss does not depend on its neighbours. */
export async function evaluate(
  trainee: Trainee,
  examples: readonly Example[],
  {batchSize, report = () => {}, signal}: EvaluationOptions,
): Promise<Evaluation> {
  const lengths = examples.map(({ids}) => ids.length)
  const ordered = lengths.map((_, index) => index).sort((a, b) => lengths[a] - lengths[b])
  let loss = 0
  let tokens = 0
  let supervised = 0
  for (let from = 0; from < ordered.length; from += batchSize) {
    await setImmediate() // let the terminal repaint and signals arrive
    if (signal?.aborted) throw interruption(signal, 'Stopped during evaluation.')
    const batch = collate(ordered.slice(from, from + batchSize).map((index) => examples[index]))
    loss += await batchLoss(trainee, batch) // waits for the device
    tokens += batch.tokens
    supervised += batch.supervisedTokens
    report(Math.min(from + batchSize, ordered.length), ordered.length)
  }
  return meanOf(loss, tokens, supervised)
}

/** Of a summed loss. Errors: NumericError. */
export function meanOf(loss: number, tokens: number, supervised: number): Evaluation {
  const mean = loss / supervised
  if (!Number.isFinite(mean)) throw new NumericError(`The evaluation loss is ${mean}.`)
  return {loss: mean, perplexity: Math.exp(mean), supervised_tokens: supervised, tokens}
}

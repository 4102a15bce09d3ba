/**
 * Text generation, one token at a time. Convolution window and scan state are carried, so time and memory for a token do
 * not depend on how many came before.
 */
import {setImmediate} from 'node:timers/promises'
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type LanguageModel, logitsOf, type ModelState} from './language-model.js'
import {disposeState, readOn} from './read-on.js'
import {penalised} from './repetition.js'
import {chooseToken, type Sampling} from './sampling.js'
import {type Sites} from './sites.js'

/** Prompts longer than this are read in pieces of this many tokens, with the state carried. */
const PROMPT_PIECE = 512

export interface Decoding extends Sampling {
  readonly maxNewTokens: number
  /** Generation ends after this token; null never. */
  readonly eosId: number | null
}

/** What decoding goes on from, and leaves behind. */
export interface Carried {
  /** What was read before the prompt; freed. null: nothing, the prompt is the start. */
  readonly state: ModelState | null
  /** Ids read before the prompt, which a penalty on repetitions counts. */
  readonly ids: readonly number[]
  /** Sees the state at the end, after the prompt and all new tokens but the last; it is freed when this is done. */
  readonly keep?: (state: ModelState) => Promise<void>
  /** Stops the reading of a long prompt between two pieces, by throwing its reason. */
  readonly signal?: AbortSignal
}

const NOTHING: Carried = {ids: [], state: null}

interface Step {
  readonly logits: tf.Tensor // (1, 1, V), after the last of the ids
  readonly state: ModelState
}

/** Reads some more ids; what `before` holds is freed. */
function advance(model: LanguageModel, sites: Sites, ids: readonly number[], before: Partial<Step> | null): Step {
  const part = {ids, shape: [1, ids.length] as [number, number]}
  const {answer: logits, state} = readOn(model, sites, part, before?.state ?? null, {
    name: 'logits after the last',
    of(hidden) {
      const tail = tf.slice3d(hidden, [0, ids.length - 1, 0], [1, 1, hidden.shape[2]]) // (1, 1, d)
      return logitsOf(sites, tail)
    },
  })
  before?.logits?.dispose()
  return {logits, state}
}

function release(step: Partial<Step> | null): void {
  step?.logits?.dispose()
  disposeState(step?.state ?? null)
}

/**
 * Yields new tokens as they are made; the end token is yielded too. The prompt must not be empty.
 * Stopping the iteration early frees the state.
 */
export async function* decode(
  model: LanguageModel,
  sites: Sites,
  prompt: readonly number[],
  {eosId, maxNewTokens, ...sampling}: Decoding,
  random: RandomStream,
  {ids: before, keep, signal, state}: Carried = NOTHING,
): AsyncGenerator<number, void, void> {
  const seen = new Set([...before, ...prompt])
  let step: Partial<Step> | null = state && {state}
  try {
    for (let from = 0; from < prompt.length; from += PROMPT_PIECE) {
      if (from > 0) await setImmediate() // let the terminal repaint and signals arrive
      signal?.throwIfAborted()
      step = advance(model, sites, prompt.slice(from, from + PROMPT_PIECE), step)
    }
    for (let made = 0; step?.logits && made < maxNewTokens; made++) {
      const logits = await step.logits.data<'float32'>() // waits for the device
      step.logits.dispose()
      const token = chooseToken(penalised(logits, seen, sampling.repetitionPenalty), sampling, random)
      seen.add(token)
      yield token
      if (token === eosId || made + 1 === maxNewTokens) return
      step = advance(model, sites, [token], step)
    }
  } finally {
    try {
      if (step?.state && keep) await keep(step.state)
    } finally {
      release(step)
    }
  }
}

/**
 * Text generation, one token at a time. Convolution window and scan state are carried, so time and memory for a token do
 * not depend on how many came before.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type LanguageModel, logitsOf, type ModelState} from './language-model.js'
import {disposeState, readOn} from './read-on.js'
import {chooseToken, type Sampling} from './sampling.js'
import {type Sites} from './sites.js'

/** Prompts longer than this are read in pieces of this many tokens, with the state carried. */
const PROMPT_PIECE = 512

export interface Decoding extends Sampling {
  readonly maxNewTokens: number
  /** Generation ends after this token; null never. */
  readonly eosId: number | null
}

interface Step {
  readonly logits: tf.Tensor // (1, 1, V), after the last of the ids
  readonly state: ModelState
}

/** Reads some more ids; what `before` holds is freed. */
function advance(model: LanguageModel, sites: Sites, ids: readonly number[], before: Step | null): Step {
  const part = {ids, shape: [1, ids.length] as [number, number]}
  const {answer: logits, state} = readOn(model, sites, part, before?.state ?? null, {
    name: 'logits after the last',
    of(hidden) {
      const tail = tf.slice3d(hidden, [0, ids.length - 1, 0], [1, 1, hidden.shape[2]]) // (1, 1, d)
      return logitsOf(model, sites, tail)
    },
  })
  before?.logits.dispose()
  return {logits, state}
}

function release(step: Step | null): void {
  step?.logits.dispose()
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
): AsyncGenerator<number, void, void> {
  let step: Step | null = null
  try {
    for (let from = 0; from < prompt.length; from += PROMPT_PIECE) {
      step = advance(model, sites, prompt.slice(from, from + PROMPT_PIECE), step)
    }
    for (let made = 0; step && made < maxNewTokens; made++) {
      const logits = await step.logits.data<'float32'>() // waits for the device
      step.logits.dispose()
      const token = chooseToken(logits, sampling, random)
      yield token
      if (token === eosId || made + 1 === maxNewTokens) return
      step = advance(model, sites, [token], step)
    }
  } finally {
    release(step)
  }
}

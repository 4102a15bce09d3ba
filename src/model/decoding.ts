/**
 * Text generation, one token at a time. Convolution window and scan state are carried, so time and memory for a token do
 * not depend on how many came before.
 */
import * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {forward, type LanguageModel, logitsOf, type ModelState} from './language-model.js'
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
  readonly logits: Float32Array // (V)
  readonly state: ModelState
}

function advance(model: LanguageModel, sites: Sites, ids: readonly number[], before: ModelState | null): Step {
  const [last, ...rest] = tf.tidy(() => {
    const {hidden, state} = forward(model, sites, tf.tensor2d([...ids], [1, ids.length], 'int32'), before)
    const tail = tf.slice3d(hidden, [0, ids.length - 1, 0], [1, 1, hidden.shape[2]]) // (1, 1, d)
    return [logitsOf(model, tail), ...state.flatMap(({scan, window}) => [scan, window])]
  })
  const state = Array.from({length: rest.length / 2}, (_, layer) => ({
    scan: rest[2 * layer],
    window: rest[2 * layer + 1],
  }))
  const logits = last.dataSync<'float32'>()
  last.dispose()
  disposeState(before)
  return {logits, state}
}

function disposeState(state: ModelState | null): void {
  for (const layer of state ?? []) tf.dispose([layer.scan, layer.window])
}

/**
 * Yields new tokens as they are made; the end token is yielded too. The prompt must not be empty.
 * Stopping the iteration early frees the state.
 */
export function* decode(
  model: LanguageModel,
  sites: Sites,
  prompt: readonly number[],
  {eosId, maxNewTokens, ...sampling}: Decoding,
  random: RandomStream,
): Generator<number, void, void> {
  let state: ModelState | null = null
  let logits: Float32Array = new Float32Array()
  try {
    for (let from = 0; from < prompt.length; from += PROMPT_PIECE) {
      ;({logits, state} = advance(model, sites, prompt.slice(from, from + PROMPT_PIECE), state))
    }
    for (let made = 0; made < maxNewTokens; made++) {
      const token = chooseToken(logits, sampling, random)
      yield token
      if (token === eosId || made + 1 === maxNewTokens) return
      ;({logits, state} = advance(model, sites, [token], state))
    }
  } finally {
    disposeState(state)
  }
}

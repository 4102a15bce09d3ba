/** Greedy decoding of several sequences at once, as generation does it: a token each, read back before the next. */
import * as tf from '@tensorflow/tfjs-core'
import {forward, type LanguageModel, logitsOf, type ModelState} from '../model/language-model.js'
import {type Sites} from '../model/sites.js'
import {mostProbable} from '../ops/most-probable/most-probable.js'

/** Makes `count` tokens for each sequence, which begins with its token of `first` (B). */
export async function decodeSteps(
  model: LanguageModel,
  sites: Sites,
  first: Int32Array,
  count: number,
): Promise<Int32Array> {
  let ids = first
  let state: ModelState | null = null
  try {
    for (let made = 0; made < count; made++) {
      const step = advance(model, sites, ids, state)
      state = step.state
      ids = (await step.tokens.data()) as Int32Array // waits for the device
      step.tokens.dispose()
    }
    return ids
  } finally {
    disposeState(state)
  }
}

function advance(
  model: LanguageModel,
  sites: Sites,
  ids: Int32Array,
  before: ModelState | null,
): {tokens: tf.Tensor; state: ModelState} {
  const [tokens, ...rest] = tf.tidy(() => {
    const {hidden, state} = forward(model, sites, tf.tensor2d(ids, [ids.length, 1], 'int32'), {state: before})
    return [mostProbable(logitsOf(model, hidden)), ...state.flatMap(({scan, window}) => [scan, window])]
  })
  disposeState(before)
  const state = Array.from({length: rest.length / 2}, (_, layer) => ({
    scan: rest[2 * layer],
    window: rest[2 * layer + 1],
  }))
  return {state, tokens}
}

function disposeState(state: ModelState | null): void {
  for (const {scan, window} of state ?? []) tf.dispose([scan, window])
}

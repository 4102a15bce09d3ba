/** Reading sequences a part at a time: the state of every layer is carried from one part to the next. */
import * as tf from '@tensorflow/tfjs-core'
import {forward, type LanguageModel, type ModelState} from './language-model.js'
import {type Sites} from './sites.js'

export interface ReadOn {
  readonly answer: tf.Tensor
  readonly state: ModelState
}

/**
 * Reads ids (B, L) after what `before` holds, which is freed; null is the start of the sequences. `answer` makes what is
 * wanted of the hidden states (B, L, d). Whoever asks disposes of answer and state.
 */
export function readOn(
  model: LanguageModel,
  sites: Sites,
  {ids, shape}: {readonly ids: Int32Array | readonly number[]; readonly shape: [number, number]},
  before: ModelState | null,
  answer: (hidden: tf.Tensor3D) => tf.Tensor,
): ReadOn {
  const [answered, ...rest] = tf.tidy(() => {
    const {hidden, state} = forward(model, sites, tf.tensor2d(Int32Array.from(ids), shape, 'int32'), {state: before})
    return [answer(hidden), ...state.flatMap(({scan, window}) => [scan, window])]
  })
  disposeState(before)
  const state = Array.from({length: rest.length / 2}, (_, layer) => ({
    scan: rest[2 * layer],
    window: rest[2 * layer + 1] as tf.Tensor3D,
  }))
  return {answer: answered, state}
}

export function disposeState(state: ModelState | null): void {
  for (const {scan, window} of state ?? []) tf.dispose([scan, window])
}

/** Reading sequences a part at a time: the state of every layer is carried from one part to the next. */
import * as tf from '@tensorflow/tfjs-core'
import {type NamedTensors, repeated} from '../ops/repeated.js'
import {forward, type LanguageModel, type ModelState} from './language-model.js'
import {type Sites} from './sites.js'

export interface ReadOn {
  readonly answer: tf.Tensor
  readonly state: ModelState
}

/** What is wanted of the hidden states (B, L, d); one name always means the same. */
export interface Answer {
  readonly name: string
  readonly of: (hidden: tf.Tensor3D) => tf.Tensor
}

/**
 * Reads ids (B, L) after what `before` holds, which is freed; null is the start of the sequences. Whoever asks disposes of
 * answer and state.
 */
export function readOn(
  model: LanguageModel,
  sites: Sites,
  {ids, shape}: {readonly ids: Int32Array | readonly number[]; readonly shape: [number, number]},
  before: ModelState | null,
  answer: Answer,
): ReadOn {
  const numbers = Int32Array.from(ids)
  const carried = (before ?? []).flatMap(({scan, window}) => [scan, window])
  const results = tf.tidy(() =>
    repeated(
      {carried, key: `${answer.name} ${shape.join(' ')} ${before !== null}`, owner: sites, slots: [numbers]},
      () => {
        const {hidden, state} = forward(model, sites, tf.tensor2d(numbers, shape, 'int32'), {state: before})
        const states = state.flatMap(({scan, window}, layer) => [
          [`scan ${layer}`, scan],
          [`window ${layer}`, window],
        ])
        return {answer: answer.of(hidden), ...(Object.fromEntries(states) as NamedTensors)}
      },
    ),
  )
  disposeState(before)
  const state = Array.from({length: model.config.layers}, (_, layer) => ({
    scan: results[`scan ${layer}`],
    window: results[`window ${layer}`] as tf.Tensor3D,
  }))
  return {answer: results.answer, state}
}

export function disposeState(state: ModelState | null): void {
  for (const {scan, window} of state ?? []) tf.dispose([scan, window])
}

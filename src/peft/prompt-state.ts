/** The state after a text: read once, so that it need not be read again each time. */
import * as tf from '@tensorflow/tfjs-core'
import {setImmediate} from 'node:timers/promises'
import {UsageError} from '../errors.js'
import {checkIds} from '../model/check-ids.js'
import {type ModelState} from '../model/language-model.js'
import {disposeState, readOn} from '../model/read-on.js'
import {type AttachedModel} from './attached-model.js'
import {stateValues} from './kept-state.js'
import {type ParameterValues} from './method.js'

/** Longer texts are read in pieces of this many tokens, with the state carried. */
const PIECE = 512

export interface PromptStateOptions {
  readonly signal?: AbortSignal
  /** Hears how many tokens are read. */
  readonly report?: (done: number) => void
}

/** Errors: UsageError for an empty text, MismatchError for a tokenizer of another model, InterruptedError. */
export async function promptState(
  {model, sites}: Pick<AttachedModel, 'model' | 'sites'>,
  ids: readonly number[],
  {report = () => {}, signal}: PromptStateOptions = {},
): Promise<ReadonlyMap<string, ParameterValues>> {
  if (ids.length === 0) throw new UsageError('The text is empty.', {hint: 'Give a text of at least one token.'})
  checkIds(ids, model.config.vocabulary)
  let state: ModelState | null = null
  try {
    for (let from = 0; from < ids.length; from += PIECE) {
      const part = ids.slice(from, from + PIECE)
      const read = readOn(model, sites, {ids: part, shape: [1, part.length]}, state, {
        name: 'nothing but the state',
        of: () => tf.scalar(0),
      })
      read.answer.dispose()
      state = read.state
      report(from + part.length)
      await setImmediate() // let the terminal repaint and signals arrive
      signal?.throwIfAborted()
    }
    return await stateValues(state as ModelState, model.config)
  } finally {
    disposeState(state)
  }
}

/** Greedy decoding of several sequences at once, as generation does it: a token each, read back before the next. */
import {type LanguageModel, logitsOf, type ModelState} from '../model/language-model.js'
import {disposeState, readOn} from '../model/read-on.js'
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
      const step = readOn(model, sites, {ids, shape: [ids.length, 1]}, state, {
        name: 'most probable',
        of: (hidden) => mostProbable(logitsOf(model, sites, hidden)),
      })
      state = step.state
      ids = (await step.answer.data()) as Int32Array // waits for the device
      step.answer.dispose()
    }
    return ids
  } finally {
    disposeState(state)
  }
}

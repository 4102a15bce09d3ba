/** First states as adapters in tests: around a model from plain values, with nothing written. */
import {type LanguageModel} from '../../src/model/language-model.js'
import {AdapterSet} from '../../src/peft/adapter-set.js'
import {KEPT} from '../../src/peft/kept-state.js'
import {type ParameterValues} from '../../src/peft/method.js'

/** A learned first state with these values, by the names of the method; the caller disposes of it. */
export function stateAdapter(model: LanguageModel, values: ReadonlyMap<string, ParameterValues>): AdapterSet {
  const named = new Map([...values].map(([name, value]) => [`adapters.0.${name}`, value] as const))
  return AdapterSet.restore([KEPT], model.config, named)
}

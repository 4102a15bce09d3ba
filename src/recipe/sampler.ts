/** Writes the texts of eval.samples with a run's adapters as they are at that moment. */
import {loadTokenizer} from '../data/tokenizer.js'
import {type LanguageModel} from '../model/language-model.js'
import {type AdapterSet} from '../peft/adapter-set.js'
import {generate} from '../peft/generate.js'
import {type Sample} from '../train/events.js'
import {type Recipe} from './schema.js'

export interface SamplerOptions {
  readonly model: LanguageModel
  readonly adapters: AdapterSet
  /** Directory of the tokenizer */
  readonly tokenizer: string
  readonly signal?: AbortSignal
}

/** null where the recipe has no eval.samples. The same seed each time: what changes is what was learned. */
export async function createSampler(
  {eval: {samples}, seed}: Recipe,
  {adapters, model, signal, tokenizer: directory}: SamplerOptions,
): Promise<(() => Promise<Sample[]>) | null> {
  if (samples === null) return null
  const tokenizer = await loadTokenizer(directory)
  const sites = adapters.sites(model.weights)
  const {max_new_tokens: maxNewTokens, prompts, temperature} = samples
  const options = {maxNewTokens, seed, stop: [], temperature, topK: null, topP: 1, ...(signal && {signal})}
  return async () => {
    const written: Sample[] = []
    for (const prompt of prompts) {
      const {text} = await generate({model, sites}, tokenizer, prompt, options)
      written.push({prompt, text})
    }
    return written
  }
}

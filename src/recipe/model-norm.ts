/** What model.stabilising_norm makes of the base: the model that is trained. */
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {RecipeError} from '../errors.js'
import {MIXER_EPSILON, noMixerNorm, withMixerNorm} from '../model/mixer-norm.js'
import {type Recipe} from './schema.js'

/** The words of the base's config as the recipe wants them. Errors: RecipeError for a model that takes no such norm. */
export function trainedConfig({model}: Recipe, words: ModelFiles['config']): ModelFiles['config'] {
  if (!model.stabilising_norm) return words
  const reason = noMixerNorm(words)
  if (reason === null) return withMixerNorm(words, MIXER_EPSILON)
  throw new RecipeError('This model takes no norm on Δ, B and C.', {
    faults: [{message: `is true, but ${reason}`, where: 'model.stabilising_norm'}],
    hint: 'Leave it out. A lower learning rate, train.clip_norm and train.on_nonfinite: skip work for every model.',
  })
}

/** ε of the norm that the base does not have and the trained model has; null: they are the same. */
export function addedNorm(base: ModelFiles['config'], trained: ModelFiles['config']): number | null {
  return base === trained ? null : MIXER_EPSILON
}

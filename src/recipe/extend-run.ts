/**
 * A run that has ended goes on for longer: its next step is the one that a longer run would take there, with its learning
 * rate, its rows, and the optimizer's state. With a constant learning rate the bytes are those of a longer run.
 */
import {UsageError} from '../errors.js'
import {hasEnded} from '../train/progress.js'
import {recipeDifference} from './recipe-difference.js'
import {type RunState} from './run-state.js'
import {type Recipe} from './schema.js'
import {trainSettings} from './settings.js'

/** Whether the run of this checkpoint was at its end. */
export function isDone({progress, recipe, steps}: RunState): boolean {
  return hasEnded(progress, steps, trainSettings(recipe))
}

/** Errors: UsageError where something else ends the run before its epochs do. */
export function withMoreEpochs(recipe: Recipe, more: number): Recipe {
  const {train} = recipe
  const limit = (['max_steps', 'max_tokens', 'max_minutes'] as const).find((key) => train[key] !== null)
  if (limit !== undefined) {
    throw new UsageError(
      `More epochs would not make the run longer: train.${limit} (${String(train[limit])}) ends it.`,
      {
        hint: `--set train.${limit}=null --set train.epochs=${train.epochs + more}, or a higher train.${limit}`,
      },
    )
  }
  return {...recipe, train: {...train, epochs: train.epochs + more}}
}

/** The state with which it goes on; patience begins anew if the recipe is another. */
export function extended(state: RunState, recipe: Recipe): RunState {
  const isAnother = recipeDifference(state.recipe, recipe).length > 0
  return isAnother ? {...state, progress: {...state.progress, waited: 0}} : state
}

/** Rules on how long a run is and what ends it. */
import {type Path, valueAt} from './paths.js'

interface BrokenRule {
  readonly path: Path
  readonly message: string
}

export function trainingRules(recipe: unknown): BrokenRule[] {
  return [...needValidation(recipe), ...oneStepSize(recipe)]
}

/** What looks at the validation loss needs one. */
function needValidation(recipe: unknown): BrokenRule[] {
  const validation = valueAt(recipe, ['data', 'validation']) ?? null
  if (validation !== null) return []
  const stops = (valueAt(recipe, ['train', 'early_stopping']) ?? null) !== null
  const keepsBest = valueAt(recipe, ['train', 'keep']) === 'best'
  const message = 'needs a validation loss, but data.validation is null; name a file there, or a share such as 5%'
  return [
    ...(stops ? [{message, path: ['train', 'early_stopping']}] : []),
    ...(keepsBest ? [{message, path: ['train', 'keep']}] : []),
  ]
}

function oneStepSize(recipe: unknown): BrokenRule[] {
  const tokens = valueAt(recipe, ['train', 'tokens_per_step'])
  if (typeof tokens === 'number' && valueAt(recipe, ['data', 'carry_state']) === true) {
    const message = 'rows that are carried go on from batch to batch; write train.gradient_accumulation instead'
    return [{message, path: ['train', 'tokens_per_step']}]
  }
  const batches = valueAt(recipe, ['train', 'gradient_accumulation']) ?? 1
  if (typeof tokens !== 'number' || typeof batches !== 'number' || batches === 1) return []
  const message = `a step cannot be of ${batches} batches (train.gradient_accumulation) and of ${tokens} tokens; leave one of them out`
  return [{message, path: ['train', 'tokens_per_step']}]
}

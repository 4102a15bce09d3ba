/** Token ids at the border: past it, an id that the model does not have would read foreign memory. */
import {MismatchError} from '../errors.js'

/** Errors: MismatchError naming the first id that is not in the vocabulary. */
export function checkIds(ids: Iterable<number>, vocabulary: number): void {
  for (const id of ids) {
    if (id < 0 || id >= vocabulary) {
      throw new MismatchError(`The text has token id ${id}, but the model has ${vocabulary} token ids only.`, {
        hint: 'Use the tokenizer that the model was trained with.',
      })
    }
  }
}

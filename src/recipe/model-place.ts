/** Where the model and the tokenizer of a recipe lie on this machine. */
import {type Recipe} from './schema.js'

export interface ModelPlace {
  /** Directory of the model */
  readonly model: string
  /** Directory of the tokenizer */
  readonly tokenizer: string
}

/** For a recipe that names directories; names on the hub have to be located first (checkpoint/hub/locate.ts). */
export function placeInRecipe({model: {base, tokenizer}}: Recipe): ModelPlace {
  return {model: base, tokenizer: tokenizer ?? base}
}

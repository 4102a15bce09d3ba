/** Where what a recipe names lies on this machine: model, tokenizer, data. */
import {type Recipe} from './schema.js'

export interface ModelPlace {
  /** Directory of the model */
  readonly model: string
  /** Directory of the tokenizer */
  readonly tokenizer: string
  /** Files of the data that do not lie where the recipe says: data sets of the hub */
  readonly data?: DataPlace
}

export interface DataPlace {
  /** What the recipe names → the files that it stands for, by what they are wanted for */
  readonly files: ReadonlyMap<string, Readonly<Record<'train' | 'validation', readonly string[]>>>
  /** Directory for tokenised rows that do not fit into memory; without it they stay there all the same */
  readonly store: string
}

/** For a recipe that names directories; names on the hub have to be located first (checkpoint/hub/locate.ts). */
export function placeInRecipe({model: {base, tokenizer}}: Recipe): ModelPlace {
  return {model: base, tokenizer: tokenizer ?? base}
}

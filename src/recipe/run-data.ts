/** The rows that a recipe names, read with the tokenizer of its model. */
import {access} from 'node:fs/promises'
import path from 'node:path'
import {holdOut} from '../data/held-out.js'
import {type Dataset, readDataset} from '../data/rows.js'
import {loadTokenizer, type Tokenizer} from '../data/tokenizer.js'
import {type ModelPlace} from './model-place.js'
import {type Recipe} from './schema.js'
import {dataSettings} from './settings.js'
import {validationShare} from './validation-share.js'

export interface RunData {
  readonly train: Dataset
  readonly validation: Dataset | null
}

/** Errors: those of reading, and DataError where there are too few rows to hold a share of them out. */
export async function readData(recipe: Recipe, place: ModelPlace): Promise<RunData> {
  const tokenizer = await tokenizerFor(recipe, place)
  const read = (role: 'train' | 'validation', named: string | readonly string[]): Promise<Dataset> => {
    const files = [named].flat().flatMap((name) => place.data?.files.get(name)?.[role] ?? name)
    const store = place.data && {directory: place.data.store}
    return readDataset(files, tokenizer, dataSettings(recipe), {role, ...(store && {store})})
  }
  const {train, validation} = recipe.data
  const rows = await read('train', train)
  const share = validationShare(validation)
  if (share !== null) return holdOut(rows, share)
  return {train: rows, validation: validation === null ? null : await read('validation', validation)}
}

/** Rows of token ids need no tokenizer; without one, the model's vocabulary is the bound on ids. */
async function tokenizerFor({data}: Recipe, {tokenizer}: ModelPlace): Promise<Tokenizer | null> {
  const absent = await access(path.join(tokenizer, 'tokenizer.json')).then(
    () => false,
    () => true,
  )
  return data.format === 'tokens' && absent ? null : loadTokenizer(tokenizer)
}

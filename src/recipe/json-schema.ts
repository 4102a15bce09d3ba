/** The JSON schema of a recipe file, for editors that complete and check YAML as it is typed. Draft 7, which all of them read. */
import {z} from 'zod'

import {recipeSchema} from './schema.js'

export function recipeJsonSchema(): Record<string, unknown> {
  const {$schema, ...rest} = z.toJSONSchema(recipeSchema, {io: 'input', target: 'draft-7'})
  return {$schema, title: 'mambatune recipe', ...rest}
}

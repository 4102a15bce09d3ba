/** The JSON schema of a recipe file, for editors that complete and check YAML as it is typed. Draft 7, which all of them read. */
import {z} from 'zod'

import {recipeSchema} from './schema.js'

const EXTENDS = {
  description:
    'Another recipe to begin with: a path as seen from this file, or the name of one that comes with mambatune. Mappings are laid over it key by key, lists and values replace its own.',
  minLength: 1,
  type: 'string',
} as const

/** Of a recipe without `extends`, which has to say everything that has no default. */
export function recipeJsonSchema(): Record<string, unknown> {
  const {$schema, properties, ...rest} = z.toJSONSchema(recipeSchema, {io: 'input', target: 'draft-7'})
  return {$schema, title: 'mambatune recipe', ...rest, properties: {extends: EXTENDS, ...properties}}
}

interface Section {
  readonly properties?: Readonly<Record<string, Section>>
  readonly required?: readonly string[]
}

function omitRequired(section: Section): Section {
  const {required, ...rest} = section
  return required ? rest : section
}

/** For editors: what is required is so only in recipes that extend no other. */
export function editorJsonSchema(): Record<string, unknown> {
  const {properties, required, ...rest} = recipeJsonSchema() as Record<string, unknown> & Required<Section>
  const sections = Object.entries(properties)
  const free = sections.map(([name, section]) => [name, omitRequired(section)] as const)
  const needed = sections.flatMap(([name, section]) =>
    section.required ? [[name, {required: section.required}] as const] : [],
  )
  return {
    ...rest,
    properties: Object.fromEntries(free),
    if: {required: ['extends']},
    else: {properties: Object.fromEntries(needed), required},
  }
}

/**
 * What the schema found wrong, each with its key and its place: one fault per wrong value, per missing key and per unknown key.
 */
import {type z} from 'zod'

import {describeTypes} from './describe-issue.js'
import {keysAt, meaningAt, requiredAt, suggestKey} from './known-keys.js'
import {dotted, hasValueAt, type Path, valueAt} from './paths.js'
import {type PlacedFault} from './places.js'
import {type RecipeDocument} from './read-yaml.js'

export function faultsOf(
  schema: z.ZodType,
  issues: readonly z.core.$ZodIssue[],
  document: RecipeDocument,
): PlacedFault[] {
  const {places, value} = document
  return issues.flatMap((issue): PlacedFault[] => {
    const {path} = issue
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        message: unknownKey(schema, path, key, value),
        place: places.ofKey([...path, key]),
      }))
    }

    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      return faultsOf(schema, issuesOfUnion(issue, value), document)
    }
    if (!hasValueAt(value, path)) {
      return requiredAt(schema, path, value).map((key) => ({
        message: missingKey(schema, key, issue, value),
        place: places.ofKey(key),
      }))
    }

    return [
      {
        message: path.length === 0 ? rootMessage(issue, value) : `${dotted(path)}: ${issue.message}`,
        place: places.ofValue(path),
      },
    ]
  })
}

function unknownKey(schema: z.ZodType, path: Path, key: string, value: unknown): string {
  const suggestion = suggestKey(schema, path, key, value)
  const advice =
    suggestion === undefined ? `Known here: ${keysAt(schema, path, value).join(', ')}` : `Did you mean ${suggestion}?`
  return `${dotted([...path, key])}: unknown key. ${advice}`
}

/** With its meaning, or with the choices where there are some. */
function missingKey(schema: z.ZodType, key: Path, issue: z.core.$ZodIssue, value: unknown): string {
  const start = `${dotted(key)}: required but missing`
  if (issue.code === 'invalid_union') return `${start}; ${issue.message.split(', got', 1)[0]}`
  const meaning = meaningAt(schema, key, value)
  return meaning === undefined ? start : `${start}. ${meaning}`
}

function rootMessage(issue: z.core.$ZodIssue, value: unknown): string {
  return value === null
    ? 'the recipe is empty; to start from one that works: mambatune recipe show quickstart'
    : `the recipe: ${issue.message}`
}

/** The issues of the alternative that was meant: the one whose type fits. If none does, one issue that names them all. */
function issuesOfUnion(issue: z.core.$ZodIssueInvalidUnion, root: unknown): z.core.$ZodIssue[] {
  const meant = issue.errors.find(
    (issues) => !issues.some(({code, path}) => code === 'invalid_type' && path.length === 0),
  )
  if (meant !== undefined) return meant.map((inner) => ({...inner, path: [...issue.path, ...inner.path]}))
  const all = issue.errors.flat()
  const types = all.flatMap((inner) => (inner.code === 'invalid_type' ? [inner.expected] : []))
  return [{...all[0], message: describeTypes(types, valueAt(root, issue.path)), path: issue.path}]
}

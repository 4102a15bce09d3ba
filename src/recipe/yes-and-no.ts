/**
 * `yes`, `no`, `on` and `off` in boolean fields. YAML 1.2 reads them as text and Python's YAML reads them as booleans;
 * whoever writes them means a boolean, so they are taken as one where the schema wants one, and nowhere else.
 */
import {type z} from 'zod'

import {setOwn, valueAt} from './paths.js'

/** All spellings of YAML 1.1. */
const BOOLEANS = new Map(
  Object.entries({no: false, off: false, on: true, yes: true}).flatMap(([word, value]) =>
    [word, word.toUpperCase(), word[0].toUpperCase() + word.slice(1)].map((spelling) => [spelling, value] as const),
  ),
)

/** Replaces them, in place, where an issue says that a boolean was expected. True if anything was replaced. */
export function replaceYesAndNo(root: unknown, issues: readonly z.core.$ZodIssue[]): boolean {
  let replaced = false
  for (const issue of issues.filter(wantsBoolean)) {
    const parent = valueAt(root, issue.path.slice(0, -1))
    const name = String(issue.path.at(-1))
    const word = valueAt(parent, [name])
    const meant = typeof word === 'string' ? BOOLEANS.get(word) : undefined
    if (meant === undefined || typeof parent !== 'object' || parent === null) continue
    setOwn(parent, name, meant)
    replaced = true
  }

  return replaced
}

function wantsBoolean(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_type') return issue.expected === 'boolean'
  return issue.code === 'invalid_value' && issue.values.every((value) => typeof value === 'boolean')
}

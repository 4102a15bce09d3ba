/** A value that has to be text: a string without halves of surrogate pairs, which no file could hold. */
import {kindOf} from './json-value.js'

/** What is wrong with it, in words; null if nothing is. */
export function textProblem(key: string, value: unknown, mayBeEmpty = false): string | null {
  if (typeof value !== 'string') return `${key}: expected a string, got ${kindOf(value)}`
  if (value === '' && !mayBeEmpty) return `${key} is empty`
  const broken = value.search(/\p{Surrogate}/u)
  return broken < 0 ? null : `${key}: character ${broken + 1} is half of a surrogate pair, which is not text`
}

/**
 * What a row of JSON means: `{prompt, completion}`, `{text}` or `{input_ids, labels}`. Keys tell the format; here they are looked at, and
 * the values are checked, so that everything after may trust them. Keys that no format knows (an id, a source) are left alone.
 */
import {ignoredLabel, type RowFormat} from './dataset.js'
import {type JsonObject, kindOf} from './json-value.js'

export type Row =
  | {readonly format: 'prompt_completion'; readonly prompt: string; readonly completion: string}
  | {readonly format: 'text'; readonly text: string}
  | {readonly format: 'tokens'; readonly ids: readonly number[]; readonly labels: readonly number[] | null}

/** The keys that a row of each format must have. */
export const requiredKeys: Readonly<Record<RowFormat, readonly string[]>> = {
  prompt_completion: ['prompt', 'completion'],
  text: ['text'],
  tokens: ['input_ids'],
}

/** Formats that have at least one of their keys in the row: one in a good row, more in an ambiguous one. */
export function formatsOf(row: JsonObject): RowFormat[] {
  const formats = Object.keys(requiredKeys) as RowFormat[]
  return formats.filter((format) => requiredKeys[format].some((key) => Object.hasOwn(row, key)))
}

export interface CheckedRow {
  /** null if there are problems. */
  readonly row: Row | null
  readonly problems: readonly string[]
}

/** Every problem of the row is reported, but of a list of ids only the first bad entry: the others are bad in the same way. */
export function checkRow(row: JsonObject, format: RowFormat, vocabularySize: number | null): CheckedRow {
  const missing = requiredKeys[format].filter((key) => !Object.hasOwn(row, key))
  if (missing.length > 0) {
    return {row: null, problems: missing.map((key) => `${key} is missing; the row has ${listKeys(row)}`)}
  }

  const problems = format === 'tokens' ? idProblems(row, vocabularySize) : textProblems(row, requiredKeys[format])
  return {row: problems.length === 0 ? typedRow(row, format) : null, problems}
}

export function listKeys(row: JsonObject): string {
  const keys = Object.keys(row)
  return keys.length === 0 ? 'no keys' : `the ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}`
}

/** Only for rows without problems. */
function typedRow(row: JsonObject, format: RowFormat): Row {
  switch (format) {
    case 'prompt_completion':
      return {format, prompt: row.prompt as string, completion: row.completion as string}
    case 'text':
      return {format, text: row.text as string}
    case 'tokens':
      return {format, ids: row.input_ids as number[], labels: (row.labels as number[] | undefined) ?? null}
  }
}

function textProblems(row: JsonObject, keys: readonly string[]): string[] {
  return keys.flatMap((key) => {
    const value = row[key]
    if (typeof value !== 'string') return `${key}: expected a string, got ${kindOf(value)}`
    if (value === '' && key !== 'prompt') return `${key} is empty`
    const broken = value.search(/\p{Surrogate}/u)
    return broken < 0 ? [] : `${key}: character ${broken + 1} is half of a surrogate pair, which is not text`
  })
}

function idProblems(row: JsonObject, vocabularySize: number | null): string[] {
  const {input_ids: ids, labels} = row
  const last = (vocabularySize ?? 2 ** 31) - 1
  const isId = (id: unknown): boolean => Number.isInteger(id) && Number(id) >= 0 && Number(id) <= last
  const problems = listProblems('input_ids', ids, isId, `an integer from 0 to ${last}`)
  if (!Object.hasOwn(row, 'labels')) return problems

  const isLabel = (label: unknown): boolean => label === ignoredLabel || isId(label)
  problems.push(...listProblems('labels', labels, isLabel, `${ignoredLabel} or an integer from 0 to ${last}`))
  if (Array.isArray(ids) && Array.isArray(labels) && ids.length !== labels.length) {
    problems.push(`labels has ${labels.length} entries and input_ids ${ids.length}; expected as many`)
  }

  return problems
}

function listProblems(key: string, list: unknown, isGood: (entry: unknown) => boolean, expected: string): string[] {
  if (!Array.isArray(list)) return [`${key}: expected an array of integers, got ${kindOf(list)}`]
  const entries = list as unknown[]
  const bad = entries.findIndex((entry) => !isGood(entry))
  return bad < 0 ? [] : [`${key}[${bad}]: expected ${expected}, got ${JSON.stringify(entries[bad])}`]
}

/**
 * What a row means. Keys tell the format; here they are looked at, and the values are checked, so that everything after may trust
 * them. Keys that no format knows (an id, a source) are left alone.
 */
import {ignoredLabel, ROW_FORMATS, type RowFormat} from './dataset.js'
import {type JsonObject, kindOf} from './json-value.js'
import {alpacaMessages, chatMessages, type Message, shareGptMessages} from './messages.js'
import {type Segment, segmentsOf} from './segments.js'
import {textProblem} from './text-value.js'

export type Row =
  | {readonly format: 'prompt_completion'; readonly prompt: string; readonly completion: string}
  | {readonly format: 'text'; readonly text: string}
  | {readonly format: 'tokens'; readonly ids: readonly number[]; readonly labels: readonly number[] | null}
  | {readonly format: 'segments'; readonly segments: readonly Segment[]}
  | {
      readonly format: 'chat' | 'sharegpt' | 'alpaca'
      readonly messages: readonly Message[]
      /** What else a template may look at: tools, the columns of Alpaca */
      readonly besides: JsonObject
    }

/** The keys that a row of each format must have. */
export const requiredKeys: Readonly<Record<RowFormat, readonly string[]>> = {
  prompt_completion: ['prompt', 'completion'],
  text: ['text'],
  tokens: ['input_ids'],
  chat: ['messages'],
  sharegpt: ['conversations'],
  alpaca: ['instruction', 'output'],
  segments: ['segments'],
}

/** Every key that means something; data.columns may map a column to each. */
export const KNOWN_KEYS: readonly string[] = [
  ...Object.values(requiredKeys).flat(),
  'labels',
  'input',
  'system',
  'tools',
]

/** Formats that have all of their keys in the row, or else at least one: one in a good row, more in an ambiguous one. */
export function formatsOf(row: JsonObject): RowFormat[] {
  const having = (some: 'every' | 'some'): RowFormat[] =>
    ROW_FORMATS.filter((format) => requiredKeys[format][some]((key) => Object.hasOwn(row, key)))
  const whole = having('every')
  return whole.length > 0 ? whole : having('some')
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

  const problems: string[] = []
  const checked = typedRow(row, format, vocabularySize, problems)
  return {row: problems.length === 0 ? checked : null, problems}
}

export function listKeys(row: JsonObject): string {
  const keys = Object.keys(row)
  return keys.length === 0 ? 'no keys' : `the ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}`
}

/** To be trusted only if no problems were added. */
function typedRow(row: JsonObject, format: RowFormat, vocabularySize: number | null, problems: string[]): Row {
  switch (format) {
    case 'prompt_completion':
    case 'text':
      problems.push(...requiredKeys[format].flatMap((key) => textProblem(key, row[key], key === 'prompt') ?? []))
      return format === 'text'
        ? {format, text: row.text as string}
        : {format, prompt: row.prompt as string, completion: row.completion as string}
    case 'tokens':
      problems.push(...idProblems(row, vocabularySize))
      return {format, ids: row.input_ids as number[], labels: (row.labels as number[] | undefined) ?? null}
    case 'segments':
      return {format, segments: segmentsOf(row.segments, problems)}
    case 'chat':
      return {format, messages: chatMessages(row, problems), besides: 'tools' in row ? {tools: row.tools} : {}}
    case 'sharegpt':
      return {format, messages: shareGptMessages(row, problems), besides: 'tools' in row ? {tools: row.tools} : {}}
    case 'alpaca':
      return {
        format,
        messages: alpacaMessages(row, problems),
        besides: {instruction: row.instruction, input: row.input ?? '', output: row.output},
      }
  }
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

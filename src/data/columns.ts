/**
 * The columns of a row under the names that mean something to us: `data.columns: {prompt: question}` reads the prompt from the column
 * `question`. And lists that a file could only hold as text (a cell of CSV) are read as the JSON they are.
 */
import {type Columns} from './dataset.js'
import {isJsonObject, type JsonObject} from './json-value.js'
import {KNOWN_KEYS, listKeys} from './row-formats.js'
import {DataError} from '../errors.js'

const LISTS = ['messages', 'conversations', 'segments', 'input_ids', 'labels', 'tools']

/** Errors: DataError for names that mean nothing. */
export function checkColumns(columns: Columns): void {
  const expected = KNOWN_KEYS.join(', ')
  const faults = unknownColumns(columns).map((name) => ({
    where: `data.columns.${name}`,
    message: `is no column that means something; expected ${expected}`,
  }))
  if (faults.length > 0) throw new DataError('data.columns cannot be used.', {faults})
}

function unknownColumns(columns: Columns): string[] {
  return Object.keys(columns).filter((name) => !KNOWN_KEYS.includes(name))
}

/** The row under our names; a sentence for each column that is missing. */
export function renamed(row: JsonObject, columns: Columns): {row: JsonObject; problems: string[]} {
  const mapped = Object.entries(columns).flatMap(([name, source]) =>
    source === undefined ? [] : [[name, source] as const],
  )
  const sources = new Set(mapped.map(([, source]) => source))
  const kept = Object.entries(row).filter(([key]) => !sources.has(key) && !Object.hasOwn(columns, key))
  const problems = mapped
    .filter(([, source]) => !Object.hasOwn(row, source))
    .map(
      ([name, source]) => `${source} is missing, which data.columns reads ${name} from; the row has ${listKeys(row)}`,
    )
  const entries = [...kept, ...mapped.map(([name, source]) => [name, row[source]] as const)]
  return {row: Object.fromEntries(entries.map(([key, value]) => [key, listOf(key, value)])), problems}
}

function listOf(key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !LISTS.includes(key) || !value.trimStart().startsWith('[')) return value
  try {
    return JSON.parse(value) as unknown
  } catch {
    return value
  }
}

/** What to write where no format fits but there are two columns of text. */
export function columnsHint(row: JsonObject): string | undefined {
  if (!isJsonObject(row)) return undefined
  const texts = Object.entries(row).flatMap(([key, value]) => (typeof value === 'string' ? [key] : []))
  if (texts.length === 1) return `data.columns: {text: ${texts[0]}}`
  return texts.length === 2 ? `data.columns: {prompt: ${texts[0]}, completion: ${texts[1]}}` : undefined
}

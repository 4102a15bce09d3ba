/** Reads a small JSON file (config.json, an index, a manifest) that must hold one object, and collects its faults. */
import {readFile, stat} from 'node:fs/promises'

import {type Fault} from '../errors.js'
import {counted, fileSystemError, quoted} from './file-faults.js'
import {type JsonOptions, lineAndColumn, parseJson} from './json-text.js'

/** Bytes. The largest of these files, an index of a model of thousands of tensors, takes a few megabytes. */
const LARGEST = 100_000_000

export type JsonObject = Readonly<Record<string, unknown>>

export interface JsonFile {
  /** Null when the file is missing or damaged; `faults` then says how. */
  readonly object: JsonObject | null
  readonly faults: readonly Fault[]
}

export async function readJsonFile(file: string, options: JsonOptions = {}): Promise<JsonFile> {
  const bytes = await readSmallFile(file)
  if (bytes === null) return fault(file, 'this file is missing')
  if (typeof bytes === 'string') return fault(file, bytes)
  let text: string
  try {
    text = new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch {
    return fault(file, 'this file is not text in UTF-8')
  }

  if (text.trim() === '') return fault(file, 'this file is empty; expected a JSON object')
  const {faults, value} = parseJson(text, options)
  if (faults.length > 0) {
    const where = (offset: number): string => {
      const {column, line} = lineAndColumn(text, offset)
      return `${file}:${line}:${column}`
    }

    return {faults: faults.map(({message, offset}) => ({message, where: where(offset)})), object: null}
  }

  if (!isObject(value)) return fault(`${file}:1:1`, `expected a JSON object, got ${quoted(value)}`)
  return {faults: [], object: value}
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function readSmallFile(file: string): Promise<Uint8Array | string | null> {
  try {
    const status = await stat(file)
    if (!status.isFile()) return 'this is not a file'
    if (status.size > LARGEST) return `this file has ${counted(status.size, 'byte')}; at most ${LARGEST} are read`
    return await readFile(file)
  } catch (error) {
    if ((error as {code?: unknown}).code === 'ENOENT') return null
    throw fileSystemError(error, 'read', file)
  }
}

function fault(where: string, message: string): JsonFile {
  return {faults: [{message, where}], object: null}
}

/**
 * Rows out of .jsonl (streamed) and .json (an array) files: any JSON value with the place it came from. What a row means is not decided
 * here. Blank lines are skipped; whatever cannot be parsed is reported with its line and the parser's reason, and reading goes on.
 */
import {type FaultList} from './fault-list.js'
import {splitJsonArray} from './json-array.js'
import {readLines, readWhole} from './text-files.js'
import {type Compression} from './unpack.js'

export interface JsonRow {
  readonly value: unknown
  /** `file:line` */
  readonly where: string
}

export async function* readJsonLines(
  file: string,
  faults: FaultList,
  compression: Compression = 'none',
): AsyncGenerator<JsonRow> {
  for await (const line of readLines(file, faults, compression)) {
    if (line.text.trim() === '') continue
    const row = parse(line.text, `${file}:${line.number}`, faults)
    if (row !== null) yield row
  }
}

export async function* readJsonArray(
  file: string,
  faults: FaultList,
  compression: Compression = 'none',
): AsyncGenerator<JsonRow> {
  const text = await readWhole(file, faults, compression)
  if (text === null || text.trim() === '') return

  const {elements, fault} = splitJsonArray(text)
  for (const element of elements) {
    const row = parse(element.text, `${file}:${element.line}`, faults)
    if (row !== null) yield row
  }

  if (fault !== null) faults.add(`${file}:${fault.line}`, fault.message)
}

function parse(text: string, where: string, faults: FaultList): JsonRow | null {
  try {
    return {value: JSON.parse(text) as unknown, where}
  } catch (error) {
    const reason = text === '' ? 'a comma without a row beside it' : (error as SyntaxError).message
    faults.add(where, `is not valid JSON: ${reason}`)
    return null
  }
}

/**
 * Rows out of .csv and .tsv files, streamed through csv-parse: the first line names the columns, all values are text. A line that cannot
 * be read is reported and left out, and reading goes on behind it.
 */
import {Readable} from 'node:stream'

import {type CsvError, type Info, parse} from 'csv-parse'

import {type FaultList} from './fault-list.js'
import {type JsonRow} from './json-rows.js'
import {readLines} from './text-files.js'
import {type Compression} from './unpack.js'

/** Characters of a row: a quotation mark that is never closed would else take the rest of the file. */
const LONGEST_ROW = 2 ** 25

export async function* readCsv(
  file: string,
  faults: FaultList,
  compression: Compression,
  delimiter: string,
): AsyncGenerator<JsonRow> {
  let reported = 0
  const report = (error: CsvError): void => {
    const line = Number(error.lines)
    if (line !== reported) faults.add(`${file}:${line}`, `is not valid CSV: ${reasonOf(error)}`)
    reported = line
  }
  const parser = parse({
    columns: (names: string[]) => columnsOf(names, file, faults),
    delimiter,
    info: true,
    max_record_size: LONGEST_ROW,
    // Between tabs a quotation mark is usually just that.
    relax_quotes: delimiter === '\t',
    on_skip(error) {
      if (error) report(error)
    },
    skip_empty_lines: true,
    skip_records_with_error: true,
  })
  const source = Readable.from(linesAgain(file, faults, compression))
  source.on('error', (error) => parser.destroy(error)).pipe(parser)
  try {
    for await (const {info, record} of parser as AsyncIterable<{info: Info; record: Record<string, string>}>) {
      yield {value: record, where: `${file}:${firstLineOf(info, record)}`}
    }
  } catch (error) {
    if (!isCsvError(error)) throw error
    report(error)
  } finally {
    source.destroy()
    parser.destroy()
  }
}

/** Lines that are no text were reported; an empty one in their place keeps the numbers of those after. */
async function* linesAgain(file: string, faults: FaultList, compression: Compression): AsyncGenerator<string> {
  let next = 1
  for await (const {number, text} of readLines(file, faults, compression)) {
    yield `${'\n'.repeat(number - next)}${text}\n`
    next = number + 1
  }
}

function columnsOf(names: string[], file: string, faults: FaultList): string[] {
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  if (twice.length > 0) faults.add(`${file}:1`, `has the column ${JSON.stringify(twice[0])} more than once`)
  if (names.includes('')) faults.add(`${file}:1`, 'has a column without a name')
  return names
}

/** csv-parse counts to the last line of a row; fields may hold line ends. */
function firstLineOf({lines}: Info, record: Record<string, string>): number {
  return Object.values(record).reduce((line, value) => line - (value.match(/\n/g)?.length ?? 0), lines)
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith('CSV_')
}

function reasonOf({message}: CsvError): string {
  return message.replace(/ (?:at|on) line \d+/, '')
}

/**
 * Files become a dataset. One call reads one format, and every row of every file must agree on it. Nothing is skipped in silence: all
 * faults of all files end up in one DataError, decisions and cuts in the notes.
 */
import {DataError} from '../errors.js'
import {type DataSettings, type Dataset} from './dataset.js'
import {ExampleBuilder} from './examples.js'
import {FaultList} from './fault-list.js'
import {FormatChoice, type Verdict} from './format-choice.js'
import {type JsonRow, readJsonArray, readJsonLines} from './json-rows.js'
import {isJsonObject, type JsonObject, kindOf} from './json-value.js'
import {checkRow} from './row-formats.js'
import {checkTokenizer, supervisedPart} from './supervision.js'
import {readWhole, requireFiles} from './text-files.js'
import {type Tokenizer} from './tokenizer.js'

export type {DataFormat, DataSettings, Dataset, Example, LossOn} from './dataset.js'

const exampleRow = '{"prompt": "…", "completion": "…"}'

/** `tokenizer` may be null for rows of ids; their range is then not checked. */
export async function readDataset(
  files: readonly string[],
  tokenizer: Tokenizer | null,
  settings: DataSettings,
): Promise<Dataset> {
  if (files.length === 0) throw new DataError('No data files were given.', {hint: 'name a .jsonl, .json or .txt file'})
  if (!Number.isInteger(settings.maxLength) || settings.maxLength < 2) {
    const message = `data.max_length: expected a whole number of at least 2, got ${settings.maxLength}.`
    throw new DataError(message, {hint: 'data.max_length: 128'})
  }

  await requireFiles(files)
  const reading = new Reading(tokenizer, settings)
  for (const file of files) await reading.readFile(file)
  return reading.finish()
}

/** What is known so far while the files are read one after the other. */
class Reading {
  private readonly faults = new FaultList()
  private readonly choice: FormatChoice
  private builder: ExampleBuilder | null = null

  constructor(
    private readonly tokenizer: Tokenizer | null,
    private readonly settings: DataSettings,
  ) {
    this.choice = new FormatChoice(settings.format, this.faults)
  }

  async readFile(file: string): Promise<void> {
    const before = this.faults.count
    let isEmpty = false
    if (/\.jsonl$/i.test(file)) isEmpty = await this.readRows(readJsonLines(file, this.faults))
    else if (/\.json$/i.test(file)) isEmpty = await this.readRows(readJsonArray(file, this.faults))
    else if (/\.txt$/i.test(file)) isEmpty = await this.readDocument(file)
    else this.faults.add(file, 'is of an unknown kind; expected a name that ends in .jsonl, .json or .txt')
    if (isEmpty && this.faults.count === before) this.faults.add(file, 'is empty: there are no rows in it')
  }

  finish(): Dataset {
    this.faults.throwIfAny()
    const builder = this.requireBuilder()
    const {examples, format, lossOn, truncated} = builder
    return {examples, format, lossOn, notes: [...this.choice.notes(), ...builder.notes()], truncated}
  }

  /** Whether there were no rows. A file whose first row is of another format is one fault, not one for each row. */
  private async readRows(rows: AsyncIterable<JsonRow>): Promise<boolean> {
    let isFirst = true
    for await (const {value, where} of rows) {
      if (!isJsonObject(value)) this.faults.add(where, `expected an object like ${exampleRow}, got ${kindOf(value)}`)
      else if (this.readRow(value, where) === 'disagrees' && isFirst) return false
      isFirst = false
    }

    return isFirst
  }

  private readRow(value: JsonObject, where: string): Verdict {
    const verdict = this.choice.judgeRow(value, where)
    if (verdict !== 'agrees') return verdict
    const builder = this.requireBuilder()
    const {row, problems} = checkRow(value, builder.format, this.tokenizer?.vocabularySize ?? null)
    for (const problem of problems) this.faults.add(where, problem)
    if (row !== null) builder.addRow(row, where)
    return verdict
  }

  private async readDocument(file: string): Promise<boolean> {
    const text = await readWhole(file, this.faults)
    if (text === null || text === '') return true
    if (this.choice.judgeDocument(file) === 'agrees') this.requireBuilder().addDocument(text, file)
    return false
  }

  /** Made when the format is known; by then at least one row has agreed on it. */
  private requireBuilder(): ExampleBuilder {
    if (this.builder === null) {
      const {format} = this.choice
      if (format === null) throw new TypeError('files without faults gave no rows')
      const lossOn = supervisedPart(this.settings, format, this.faults)
      checkTokenizer(this.tokenizer, this.settings, format, this.faults)
      this.builder = new ExampleBuilder(this.tokenizer, this.settings, format, lossOn, this.faults)
    }

    return this.builder
  }
}

/**
 * Files become a dataset. One call reads one format, and every row of every file must agree on it. Nothing is skipped in silence: all
 * faults of all files end up in one DataError, decisions and cuts in the notes.
 */
import {DataError} from '../errors.js'
import {checkColumns, renamed} from './columns.js'
import {detectContainer} from './container.js'
import {type DataSettings, type Dataset, type ReadFile} from './dataset.js'
import {ExampleBuilder} from './examples.js'
import {ExampleRows} from './example-rows.js'
import {FaultList} from './fault-list.js'
import {findFiles, type Role} from './find-files.js'
import {FormatChoice, type Verdict} from './format-choice.js'
import {type JsonRow} from './json-rows.js'
import {isJsonObject, type JsonObject, kindOf} from './json-value.js'
import {rowsOf} from './rows-of.js'
import {checkRow} from './row-formats.js'
import {findStored, type RowFacts, type StorePlace, storeKey} from './row-store.js'
import {checkTokenizer, supervisedPart} from './supervision.js'
import {chooseTemplate, namedTemplate} from './template-choice.js'
import {readWhole, requireFiles} from './text-files.js'
import {type Tokenizer} from './tokenizer.js'
import {isUnpackingError} from './unpack.js'

export type {DataFormat, DataSettings, Dataset, Example, LossOn} from './dataset.js'

const exampleRow = '{"prompt": "…", "completion": "…"}'

export interface ReadingOptions {
  /** Where rows are kept that do not fit into memory */
  readonly store?: StorePlace
  /** Which files of a directory are meant */
  readonly role?: Role
  /** Reads no further once there are so many examples */
  readonly limit?: number
  /** Hears of faulty rows, which are then left out; without it they are thrown */
  readonly onFaults?: (error: DataError) => void
}

/** `tokenizer` may be null for rows of ids; their range is then not checked. Paths may be directories. */
export async function readDataset(
  paths: readonly string[],
  tokenizer: Tokenizer | null,
  settings: DataSettings,
  options: ReadingOptions = {},
): Promise<Dataset> {
  const {limit, onFaults, role = null, store} = options
  checkSettings(paths, settings)
  const files = await findFiles(paths, role)
  await requireFiles(files)
  const template = await namedTemplate(settings)
  const isWhole = limit === undefined && !onFaults
  const key = store && isWhole ? await storeKey(files, tokenizer, {...settings, template}) : null
  const stored = store && key !== null ? await findStored(store, key) : null
  if (stored) return stored
  const rows = new ExampleRows(store && {...store, key})
  const reading = new Reading(tokenizer, settings, {...options, rows, template})
  try {
    for (const file of files) if (!reading.isEnough) await reading.readFile(file)
    return await rows.finish(reading.facts())
  } catch (error) {
    rows.discard()
    throw error
  }
}

function checkSettings(paths: readonly string[], {columns = {}, maxLength}: DataSettings): void {
  if (paths.length === 0) throw new DataError('No data files were given.', {hint: 'name a .jsonl, .json or .txt file'})
  if (!Number.isInteger(maxLength) || maxLength < 2) {
    const message = `data.max_length: expected a whole number of at least 2, got ${maxLength}.`
    throw new DataError(message, {hint: 'data.max_length: 128'})
  }
  checkColumns(columns)
}

/** What is known so far while the files are read one after the other. */
class Reading {
  private readonly faults = new FaultList()
  private readonly choice: FormatChoice
  private readonly files: ReadFile[] = []
  private readonly templateNotes: string[] = []
  private builder: {readonly examples: ExampleBuilder; readonly decided: Pick<Dataset, 'format' | 'lossOn'>} | null =
    null

  constructor(
    private readonly tokenizer: Tokenizer | null,
    private readonly settings: DataSettings,
    private readonly given: ReadingOptions & {readonly template: string | null; readonly rows: ExampleRows},
  ) {
    this.choice = new FormatChoice(settings.format, this.faults)
  }

  get isEnough(): boolean {
    return this.given.rows.length >= (this.given.limit ?? Infinity)
  }

  async readFile(file: string): Promise<void> {
    const before = this.faults.count
    const found = await detectContainer(file, this.settings.container ?? 'auto')
    if (found === null) return this.faults.add(file, UNKNOWN_KIND, 'data.container: jsonl, if it is lines of JSON')
    this.files.push(found)
    try {
      const isText = found.container === 'text'
      const isEmpty = isText ? await this.readDocument(found) : await this.readRows(rowsOf(found, this.faults))
      if (isEmpty && this.faults.count === before) this.faults.add(file, 'is empty: there are no rows in it')
    } catch (error) {
      if (!isUnpackingError(error)) throw error
      this.faults.add(file, `is damaged: ${found.compression} cannot unpack it (${(error as Error).message})`)
    }
  }

  /** Errors: DataError with all faults. */
  facts(): RowFacts {
    const {onFaults, rows} = this.given
    const error = this.faults.error()
    if (error && (!onFaults || rows.length === 0)) throw error
    if (error) onFaults?.(error)
    const {decided, examples} = this.requireBuilder()
    if (rows.length === 0) {
      throw new DataError('No row is left to learn from.', {
        hint: 'data.max_length: larger, or data.overflow: truncate_right',
      })
    }
    const notes = [...this.choice.notes(), ...examples.notes(), ...this.templateNotes, ...this.fileNotes()]
    return {...decided, files: this.files, notes, truncated: examples.truncated}
  }

  /** Whether there were no rows. A file whose first row is of another format is one fault, not one for each row. */
  private async readRows(rows: AsyncIterable<JsonRow>): Promise<boolean> {
    let isFirst = true
    for await (const {value, where} of rows) {
      if (!isJsonObject(value)) this.faults.add(where, `expected an object like ${exampleRow}, got ${kindOf(value)}`)
      else if (this.readRow(value, where) === 'disagrees' && isFirst) return false
      isFirst = false
      if (this.isEnough) break
    }

    return isFirst
  }

  private readRow(value: JsonObject, where: string): Verdict {
    const {problems: missing, row: given} = renamed(value, this.settings.columns ?? {})
    for (const problem of missing) this.faults.add(where, problem)
    if (missing.length > 0) return 'unclear'
    const verdict = this.choice.judgeRow(given, where)
    if (verdict !== 'agrees') return verdict
    const {decided, examples} = this.requireBuilder()
    const {row, problems} = checkRow(given, decided.format, this.tokenizer?.vocabularySize ?? null)
    for (const problem of problems) this.faults.add(where, problem)
    if (row !== null) examples.addRow(row, where)
    return verdict
  }

  private async readDocument({compression, file}: ReadFile): Promise<boolean> {
    const text = await readWhole(file, this.faults, compression)
    if (text === null || text === '') return true
    if (this.choice.judgeDocument(file) === 'agrees') this.requireBuilder().examples.addDocument(text, file)
    return false
  }

  /** Made when the format is known; by then at least one row has agreed on it. */
  private requireBuilder(): NonNullable<Reading['builder']> {
    if (this.builder === null) {
      const {choice, faults, settings, tokenizer} = this
      const {rows: sink, template: source} = this.given
      const {format} = choice
      if (format === null) throw new TypeError('files without faults gave no rows')
      const lossOn = supervisedPart(settings, format, faults)
      checkTokenizer(tokenizer, settings, format, faults)
      const {notes, template} = chooseTemplate(settings, format, tokenizer, source)
      this.templateNotes.push(...notes)
      const examples = new ExampleBuilder({faults, format, lossOn, settings, sink, template, tokenizer})
      this.builder = {decided: {format, lossOn}, examples}
    }

    return this.builder
  }

  /** Of files whose kind may surprise. */
  private fileNotes(): string[] {
    return this.files
      .filter(({container, compression}) => compression !== 'none' || !['json', 'jsonl', 'text'].includes(container))
      .slice(0, 1)
      .map(({compression, container, file, why}) => {
        const packed = compression === 'none' ? '' : `, unpacked from ${compression}`
        return `${file} is read as ${container}${packed}: ${why}.`
      })
  }
}

const UNKNOWN_KIND =
  'is of an unknown kind; expected a name that ends in .jsonl, .json, .csv, .tsv, .parquet or .txt, also with .gz after it'

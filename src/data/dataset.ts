/**
 * What a dataset is once it has been read: rows of token ids with a label for each, and what was decided on the way.
 * Labels follow the convention of Hugging Face transformers: they lie under the ids they belong to, -100 is ignored, and the shift by one
 * happens later, so the label of position 0 never counts.
 */

export const ROW_FORMATS = ['prompt_completion', 'text', 'tokens', 'chat', 'sharegpt', 'alpaca', 'segments'] as const

export type RowFormat = (typeof ROW_FORMATS)[number]
export type DataFormat = 'auto' | RowFormat

export const LOSS_PARTS = ['completion', 'all', 'labelled', 'assistant', 'last'] as const

/** A list names the roles whose turns are trained. */
export type SupervisedPart = (typeof LOSS_PARTS)[number] | readonly string[]
export type LossOn = 'auto' | SupervisedPart

export const OVERFLOWS = ['truncate_right', 'truncate_left', 'drop', 'split', 'error'] as const

/** What becomes of a row that is longer than maxLength. */
export type Overflow = (typeof OVERFLOWS)[number]

export const CONTAINERS = ['jsonl', 'json', 'csv', 'tsv', 'parquet', 'text'] as const

/** How rows lie in a file. */
export type Container = (typeof CONTAINERS)[number]

/** What a column of the file means to us: `{prompt: 'question'}`. */
export type Columns = Readonly<Record<string, string | undefined>>

export const ignoredLabel = -100

export interface DataSettings {
  readonly format: DataFormat
  readonly lossOn: LossOn
  /** Tokens per row, the end-of-sequence token included. */
  readonly maxLength: number
  readonly appendEos: boolean
  /** Whether end-of-sequence tokens in what is trained are trained too; true where left out. */
  readonly trainOnEos?: boolean
  /** 'truncate_right' where left out */
  readonly overflow?: Overflow
  /** 'auto' where left out */
  readonly container?: Container | 'auto'
  readonly columns?: Columns
  /** Name of a built-in template, 'tokenizer', or a file; null and left out: chosen by format and tokenizer */
  readonly template?: string | null
}

export interface Example {
  readonly ids: Int32Array
  /** As long as `ids`, not shifted. */
  readonly labels: Int32Array
  /** `file:line` */
  readonly where: string
}

/** One file of the dataset, and how it was read. */
export interface ReadFile {
  readonly file: string
  readonly container: Container
  readonly compression: 'none' | 'gzip' | 'zstd'
  readonly why: string
}

export interface Dataset {
  /** May lie in a file: whoever wants only some of them should not copy all. */
  readonly examples: readonly Example[]
  /**
   * For each row of the files, and each plain text file, the number of its first example: a row may have several, which follow one
   * another, or none, and then begins where the next one does.
   */
  readonly rowBegins: Float64Array
  readonly format: RowFormat
  readonly lossOn: SupervisedPart
  /** Sentences for the user: what was decided and why, what was cut. */
  readonly notes: readonly string[]
  /** Rows that were longer than maxLength. */
  readonly truncated: number
  readonly files: readonly ReadFile[]
}

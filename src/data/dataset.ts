/**
 * What a dataset is once it has been read: rows of token ids with a label for each, and what was decided on the way.
 * Labels follow the convention of Hugging Face transformers: they lie under the ids they belong to, -100 is ignored, and the shift by one
 * happens later, so the label of position 0 never counts.
 */

export type DataFormat = 'auto' | 'prompt_completion' | 'text' | 'tokens'
export type RowFormat = Exclude<DataFormat, 'auto'>

export type LossOn = 'auto' | 'completion' | 'all' | 'labelled'
export type SupervisedPart = Exclude<LossOn, 'auto'>

export const ignoredLabel = -100

export interface DataSettings {
  readonly format: DataFormat
  readonly lossOn: LossOn
  /** Tokens per row, the end-of-sequence token included. */
  readonly maxLength: number
  readonly appendEos: boolean
}

export interface Example {
  readonly ids: Int32Array
  /** As long as `ids`, not shifted. */
  readonly labels: Int32Array
  /** `file:line` */
  readonly where: string
}

export interface Dataset {
  readonly examples: readonly Example[]
  readonly format: RowFormat
  readonly lossOn: SupervisedPart
  /** Sentences for the user: what was decided and why, what was cut. */
  readonly notes: readonly string[]
  /** Rows that were longer than maxLength. */
  readonly truncated: number
}

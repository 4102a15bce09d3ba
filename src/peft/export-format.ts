/** What a format of `mambatune export` is: which parts of an adapter it cannot hold, and what it writes of the others. */
import {type ParameterValues} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'

/** A part of an adapter that a format cannot hold. */
export interface LeftOut {
  /** 'adapters.0 (lora): out_proj' */
  readonly part: string
  readonly reason: string
}

/** One file of tensors, stored as f32, and one of text. */
export interface ExportContent {
  readonly tensorFile: string
  readonly tensors: ReadonlyMap<string, ParameterValues>
  /** Of the header of the tensor file */
  readonly metadata: Readonly<Record<string, string>>
  readonly textFile: string
  readonly text: string
}

/** A base model: where it lies, and what the files that are written call it. */
export interface ExportBase {
  readonly directory: string
  readonly name: string
}

export interface ExportFormat {
  /** What to do with what this format cannot hold. */
  readonly instead: string
  /** Errors: MismatchError for tensors that are not those of the settings. */
  split(saved: SavedAdapter): {readonly holdsAny: boolean; readonly leftOut: readonly LeftOut[]}
  /** What is written of the parts that the format holds. `base` is a model to use instead of the adapter's own. */
  content(saved: SavedAdapter, base: ExportBase | undefined): Promise<ExportContent>
}

/** 'adapters.0 (lora)' */
export function partName({settings}: SavedAdapter, index: number): string {
  return `adapters.${index} (${settings[index].method})`
}

/** An adapter → a directory in a format of other programs, whole or not at all. */
import path from 'node:path'
import {fromFloat32} from '../checkpoint/dtypes.js'
import {fingerprintTensors, openModelDirectory} from '../checkpoint/model-directory.js'
import {writeDirectory, writeFileDurably} from '../checkpoint/output-directory.js'
import {type TensorSource, writeSafetensors} from '../checkpoint/safetensors.js'
import {MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {configOf} from '../model/model-files.js'
import {checkBaseHasNorm} from './base-norm.js'
import {type ExportBase, type ExportContent, type ExportFormat, type LeftOut} from './export-format.js'
import {exportPeft} from './export-peft.js'
import {exportSafetensors} from './export-safetensors.js'
import {exportState} from './export-state.js'
import {checkBase, readAdapter, type SavedAdapter} from './saved-adapter.js'

const formats = {peft: exportPeft, safetensors: exportSafetensors, state: exportState} as const

export type ExportFormatName = keyof typeof formats

export interface ExportOptions {
  readonly adapter: string
  readonly format: ExportFormatName
  readonly out: string
  /** Write the rest of an adapter that the format cannot hold as a whole. */
  readonly partial?: boolean
  /** A model to use instead of the one that the adapter names. */
  readonly base?: ExportBase | undefined
  /** The text of a README.md for the result, before what the format itself says there; absent: none of ours */
  readonly card?: (leftOut: readonly LeftOut[]) => Promise<string>
  /** Accept a base with other weights of the same shapes. */
  readonly anyBase?: boolean
}

export interface ExportReport {
  readonly format: ExportFormatName
  readonly out: string
  /** Names in `out` */
  readonly files: readonly string[]
  readonly tensors: number
  readonly left_out: readonly LeftOut[]
}

/** Errors: FileError for damaged files, MismatchError for parts that the format cannot hold; then nothing is written. */
export async function exportAdapter(options: ExportOptions): Promise<ExportReport> {
  const {adapter, base, format, out, partial = false} = options
  const saved = await readAdapter(adapter)
  const {holdsAny, leftOut} = formats[format].split(saved)
  if (leftOut.length > 0 && !(partial && holdsAny)) throw refusal(format, formats[format], holdsAny, leftOut)
  if (base !== undefined) await checkExportBase(saved, base, options.anyBase ?? false)
  if (format === 'peft') checkBaseHasNorm(saved, "PEFT's format", base ? await configIn(base) : null)
  const content = await formats[format].content(saved, base)
  const card = (await options.card?.(leftOut)) ?? null
  await writeDirectory(out, (into) => write(into, content, card))
  const files = [...new Set([...(card === null ? [] : [README]), content.textFile, content.tensorFile])]
  return {files, format, left_out: leftOut, out, tensors: content.tensors.size}
}

async function configIn({directory}: ExportBase): Promise<MambaConfig> {
  return configOf(await openModelDirectory(directory))
}

async function checkExportBase(saved: SavedAdapter, base: ExportBase, anyBase: boolean): Promise<void> {
  const {tensors} = await openModelDirectory(base.directory)
  const path = base.name
  checkBase(saved, {fingerprint: await fingerprintTensors(tensors), path}, anyBase)
}

function refusal(
  name: ExportFormatName,
  {instead}: ExportFormat,
  holdsAny: boolean,
  leftOut: readonly LeftOut[],
): MismatchError {
  const subject = holdsAny ? 'Parts of this adapter' : 'No part of this adapter'
  return new MismatchError(`${subject} can${holdsAny ? 'not' : ''} be exported as ${name}; nothing was written.`, {
    faults: leftOut.map(({part, reason}) => ({message: reason, where: part})),
    hint: holdsAny ? `Add --partial to write the rest. ${instead}` : instead,
  })
}

const README = 'README.md'

async function write(
  into: string,
  {metadata, tensorFile, tensors, text, textFile}: ExportContent,
  card: string | null,
): Promise<void> {
  const sources = [...tensors].map(([name, {shape, values}]): TensorSource => ({
    bytes: async () => fromFloat32(values, 'F32'),
    dtype: 'F32',
    name,
    shape,
  }))
  if (card !== null) await writeFileDurably(path.join(into, README), card)
  const whole = card !== null && textFile === README ? `${card}\n${text}` : text
  await writeFileDurably(path.join(into, textFile), whole)
  await writeSafetensors(path.join(into, tensorFile), sources, metadata)
}

/** `mambatune export --format gguf-lora`: adapter.gguf, which llama.cpp loads beside the base model, a GGUF file itself. */
import {type GgufDtype} from '../checkpoint/gguf-dtypes.js'
import {f32, type GgufMetadata, type GgufValue, text} from '../checkpoint/gguf-metadata.js'
import {type GgufTensor, writeGguf} from '../checkpoint/gguf-write.js'
import {fingerprintTensors, openModelDirectory} from '../checkpoint/model-directory.js'
import {writeDirectory} from '../checkpoint/output-directory.js'
import {MismatchError} from '../errors.js'
import {heldAs} from '../model/export-gguf.js'
import {checkGguf} from '../model/gguf-limits.js'
import {configOf} from '../model/model-files.js'
import {checkBaseHasNorm} from './base-norm.js'
import {type ExportBase, type LeftOut} from './export-format.js'
import {splitForGguf} from './gguf-limits.js'
import {checkBase, readAdapter} from './saved-adapter.js'
import {toGgufLora} from './to-gguf-lora.js'

export const GGUF_ADAPTER = 'adapter.gguf'

export interface GgufLoraOptions {
  readonly adapter: string
  readonly base: ExportBase
  readonly dtype: GgufDtype
  readonly out: string
  /** Write the rest of an adapter that the file cannot hold as a whole. */
  readonly partial: boolean
  /** Accept a base with other weights of the same shapes. */
  readonly anyBase: boolean
}

export interface GgufLoraReport {
  readonly format: 'gguf-lora'
  readonly dtype: GgufDtype
  readonly out: string
  readonly files: readonly string[]
  readonly tensors: number
  readonly bytes: number
  readonly left_out: readonly LeftOut[]
}

/** Errors: FileError for damaged files, MismatchError for parts that the file cannot hold and for another base; then nothing is written. */
export async function exportGgufLora(options: GgufLoraOptions): Promise<GgufLoraReport> {
  const {adapter, anyBase, base, dtype, out, partial} = options
  const saved = await readAdapter(adapter)
  const {held, leftOut} = splitForGguf(saved)
  if (held.length === 0 || (leftOut.length > 0 && !partial)) throw refusal(held.length > 0, leftOut)
  const files = await openModelDirectory(base.directory)
  const config = configOf(files)
  checkGguf(config, `${base.name}/config.json`)
  checkBase(saved, {fingerprint: await fingerprintTensors(files.tensors), path: base.name}, anyBase)
  checkBaseHasNorm(saved, 'A LoRA file of llama.cpp', config)
  const {alpha, tensors: factors} = toGgufLora(held, config)
  const tensors = [...factors].map(([name, {shape, values}]): GgufTensor => ({
    dtype: heldAs(dtype, shape),
    name,
    shape,
    values: async () => values,
  }))
  let bytes = 0
  await writeDirectory(out, async (into) => {
    bytes = await writeGguf(`${into}/${GGUF_ADAPTER}`, metadata(config.architecture, alpha), tensors)
  })
  return {bytes, dtype, files: [GGUF_ADAPTER], format: 'gguf-lora', left_out: leftOut, out, tensors: tensors.length}
}

function metadata(architecture: string, alpha: number): GgufMetadata {
  return new Map<string, GgufValue>([
    ['general.architecture', text(architecture)],
    ['general.type', text('adapter')],
    ['adapter.type', text('lora')],
    ['adapter.lora.alpha', f32(alpha)],
  ])
}

function refusal(holdsAny: boolean, leftOut: readonly LeftOut[]): MismatchError {
  const subject = holdsAny ? 'Parts of this adapter cannot' : 'No part of this adapter can'
  const instead = 'What can be merged becomes a whole model with --format gguf.'
  return new MismatchError(`${subject} be exported as gguf-lora; nothing was written.`, {
    faults: leftOut.map(({part, reason}) => ({message: reason, where: part})),
    hint: holdsAny ? `Add --partial to write the rest. ${instead}` : instead,
  })
}

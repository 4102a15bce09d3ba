/**
 * Adapters on disk. Ours: adapter.json with adapter.safetensors. Hugging Face PEFT's: adapter_config.json with
 * adapter_model.safetensors, or adapter_model.bin as older versions wrote it, handed on under the names that stand in the file; `peft/` knows what they mean. Every
 * value is checked to be finite, because one NaN in an adapter makes every answer of the model NaN.
 */
import {stat} from 'node:fs/promises'
import path from 'node:path'

import {type Fault, FileError, NumericError} from '../errors.js'
import {ADAPTER_FORMAT, type AdapterManifest, checkManifest, readManifestFile} from './adapter-manifest.js'
import {fromFloat32, isFloatDtype} from './dtypes.js'
import {firstNotFinite} from './first-not-finite.js'
import {counted, fileSystemError, quoted, refusal, systemCode} from './file-faults.js'
import {readJsonFile} from './json-file.js'
import {writeDirectory, writeFileDurably} from './output-directory.js'
import {readTensorFloat32, type TensorEntry, type TensorSource, writeSafetensors} from './safetensors.js'
import {collectHeader, isFile} from './weight-files.js'

export {type AdapterManifest} from './adapter-manifest.js'

const MANIFEST = 'adapter.json'
const TENSORS = 'adapter.safetensors'
const PEFT_CONFIG = 'adapter_config.json'
const PEFT_TENSORS = 'adapter_model.safetensors'
const PEFT_PICKLE = 'adapter_model.bin'

export interface AdapterTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

export async function isAdapterDirectory(directory: string): Promise<boolean> {
  return isFile(path.join(directory, MANIFEST))
}

export async function isPeftAdapter(directory: string): Promise<boolean> {
  return isFile(path.join(directory, PEFT_CONFIG))
}

export async function readAdapterManifest(directory: string): Promise<AdapterManifest> {
  await expectDirectory(directory)
  const {faults, manifest} = await readManifestFile(path.join(directory, MANIFEST))
  if (manifest === null) throw await unreadable(directory, faults)
  return manifest
}

export async function readAdapterDirectory(
  directory: string,
): Promise<{manifest: AdapterManifest; tensors: ReadonlyMap<string, AdapterTensor>}> {
  await expectDirectory(directory)
  const {faults: manifestFaults, manifest} = await readManifestFile(path.join(directory, MANIFEST))
  const {faults: tensorFaults, tensors} = await readTensors(path.join(directory, TENSORS), ADAPTER_FORMAT)
  const faults = [...manifestFaults, ...tensorFaults]
  if (manifest === null || faults.length > 0) throw await unreadable(directory, faults)
  return {manifest, tensors}
}

/** Stored as f32. A NumericError names tensors that hold a value that is not finite: they could never be read back. */
export async function writeAdapterDirectory(
  directory: string,
  manifest: AdapterManifest,
  tensors: ReadonlyMap<string, AdapterTensor>,
): Promise<void> {
  const {faults} = checkManifest(manifest, MANIFEST)
  if (faults.length > 0) throw refusal(`Cannot write the adapter ${directory}`, faults)
  const infinite = [...tensors].flatMap(([name, {values}]) => notFinite(quoted(name), values))
  if (infinite.length > 0) {
    throw new NumericError(`Cannot write the adapter ${directory}: it holds values that are not finite`, {
      faults: infinite,
      hint: 'Train again with a smaller learning rate, or with clip_norm.',
    })
  }

  const sources = [...tensors].map(([name, {shape, values}]): TensorSource => ({
    bytes: async () => Promise.resolve(fromFloat32(values, 'F32')),
    dtype: 'F32',
    name,
    shape,
  }))
  await writeDirectory(directory, async (temporary) => {
    await writeFileDurably(path.join(temporary, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
    await writeSafetensors(path.join(temporary, TENSORS), sources, {format: ADAPTER_FORMAT})
  })
}

/** The file of its tensors; safetensors if there are both. */
export async function peftTensorFile(directory: string): Promise<string> {
  const [tensors, pickle] = [PEFT_TENSORS, PEFT_PICKLE].map((name) => path.join(directory, name))
  return !(await isFile(tensors)) && (await isFile(pickle)) ? pickle : tensors
}

export async function readPeftFiles(
  directory: string,
): Promise<{config: Record<string, unknown>; tensors: ReadonlyMap<string, AdapterTensor>}> {
  await expectDirectory(directory)
  const config = await readJsonFile(path.join(directory, PEFT_CONFIG), {pythonNumbers: true})
  const {faults: tensorFaults, tensors} = await readTensors(await peftTensorFile(directory), null)
  const faults = [...config.faults, ...tensorFaults]
  if (config.object === null || faults.length > 0) throw await unreadable(directory, faults)
  return {config: {...config.object}, tensors}
}

/** All tensors as f32; `format` is what the file's metadata must say, null for anything. */
async function readTensors(
  file: string,
  format: string | null,
): Promise<{tensors: ReadonlyMap<string, AdapterTensor>; faults: readonly Fault[]}> {
  const tensors = new Map<string, AdapterTensor>()
  const collected = await collectHeader(file)
  if (collected.header === null) return {faults: collected.faults, tensors}
  const {entries, metadata} = collected.header
  const faults: Fault[] = []
  if (format !== null && metadata.format !== format) {
    const message = `metadata format must be ${quoted(format)}, got ${quoted(metadata.format)}`
    faults.push({message, where: path.basename(file)})
  }

  for (const entry of entries.values()) faults.push(...(await readTensor(entry, tensors)))
  return {faults, tensors}
}

async function readTensor(entry: TensorEntry, tensors: Map<string, AdapterTensor>): Promise<readonly Fault[]> {
  const where = `${path.basename(entry.file)}: ${quoted(entry.name)}`
  if (!isFloatDtype(entry.dtype)) {
    return [{message: `dtype must be F64, F32, F16 or BF16, got ${entry.dtype}`, where}]
  }

  const values = await readTensorFloat32(entry)
  tensors.set(entry.name, {shape: entry.shape, values})
  return notFinite(where, values)
}

function notFinite(where: string, values: Float32Array): readonly Fault[] {
  const first = firstNotFinite(values)
  if (first < 0) return []
  let count = 0
  for (let at = first; at >= 0; at = firstNotFinite(values, at + 1)) count += 1
  const message = `${counted(count, 'value')} of ${values.length} not finite, the first at index ${first}: ${values[first]}`
  return [{message, where}]
}

async function expectDirectory(directory: string): Promise<void> {
  const hint = `Give the path of a directory that holds ${MANIFEST} and ${TENSORS}, or an adapter of Hugging Face PEFT.`
  try {
    if ((await stat(directory)).isDirectory()) return
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw fileSystemError(error, 'read', directory)
    throw new FileError(`No adapter at ${directory}: there is no such directory`, {hint})
  }

  throw new FileError(`No adapter at ${directory}: this is not a directory`, {hint})
}

async function unreadable(directory: string, faults: readonly Fault[]): Promise<FileError> {
  return refusal(`Cannot read the adapter in ${directory}`, faults, await hintFor(directory))
}

async function hintFor(directory: string): Promise<string> {
  const has = async (...names: string[]): Promise<boolean> => isFile(path.join(directory, ...names))
  if (await has('adapter', MANIFEST)) return `This is a run: did you mean ${path.join(directory, 'adapter')}?`
  if (!(await has(MANIFEST)) && (await has('config.json'))) {
    return 'This is a model: give it as the model, and the directory of an adapter here.'
  }

  return 'Copy the adapter again, or train it again.'
}

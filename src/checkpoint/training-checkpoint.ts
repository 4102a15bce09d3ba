/**
 * Checkpoints of a training run, one file each: `step-<step>.safetensors`, with tensors and a JSON text (the state) in its
 * metadata. The SHA-256 over the text, and over name, shape and bytes of every tensor, stands beside it, so that a file
 * that lost or changed a bit is told from a good one. A file appears whole or not at all.
 */
import {createHash} from 'node:crypto'
import {readdir, rename, rm} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../errors.js'
import {LOCK} from './directory-lock.js'
import {fromFloat32} from './dtypes.js'
import {fileSystemError, quoted, refusal, systemCode} from './file-faults.js'
import {isObject, type JsonObject} from './json-file.js'
import {parseJson} from './json-text.js'
import {makeDirectory} from './output-directory.js'
import {readSafetensorsHeader, readTensorFloat32, type TensorSource, writeSafetensors} from './safetensors.js'

const FORMAT = 'mambatune-checkpoint'
const VERSION = '1'
const NAME = /^step-(\d{8,15})\.safetensors$/

export interface CheckpointTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

export interface CheckpointContent {
  readonly state: JsonObject
  readonly tensors: ReadonlyMap<string, CheckpointTensor>
}

export interface CheckpointFile {
  readonly step: number
  readonly file: string
}

/** Writes the checkpoint of a step into a directory, which is made if need be. */
export async function writeCheckpoint(
  directory: string,
  step: number,
  {state, tensors}: CheckpointContent,
): Promise<string> {
  const file = path.join(directory, `step-${String(step).padStart(8, '0')}.safetensors`)
  const text = JSON.stringify(state)
  const sources = [...tensors].map(([name, {shape, values}]): TensorSource => ({
    bytes: () => Promise.resolve(fromFloat32(values, 'F32')),
    dtype: 'F32',
    name,
    shape,
  }))
  await makeDirectory(directory)
  const metadata = {format: FORMAT, sha256: digestOf(text, tensors), state: text, version: VERSION}
  await writeSafetensors(file, sources, metadata)
  return file
}

/** Errors: FileError that says what is damaged. */
export async function readCheckpoint(file: string): Promise<CheckpointContent> {
  const {entries, metadata} = await readSafetensorsHeader(file)
  const {format, sha256, state: text = '', version} = metadata
  if (format !== FORMAT) throw damaged(file, `metadata format must be ${quoted(FORMAT)}, got ${quoted(format)}`)
  const tensors = new Map<string, CheckpointTensor>()
  for (const [name, entry] of entries) {
    if (entry.dtype !== 'F32') throw damaged(file, `${quoted(name)} must be F32, got ${entry.dtype}`)
    tensors.set(name, {shape: entry.shape, values: await readTensorFloat32(entry)})
  }
  if (digestOf(text, tensors) !== sha256) throw damaged(file, 'its content is not what its SHA-256 says')
  if (version !== VERSION) {
    throw new FileError(`${file} was written by another version of mambatune.`, {
      hint: `Its format is ${quoted(version)}, and this version reads ${quoted(VERSION)}: resume with the version that wrote it.`,
    })
  }
  const {faults, value} = parseJson(text)
  if (faults.length > 0 || !isObject(value)) throw damaged(file, 'its state is not a JSON object')
  return {state: value, tensors}
}

/** The state of a checkpoint from its header alone, its bytes unchecked: to show, not to go on from. Errors: FileError. */
export async function peekState(file: string): Promise<JsonObject | null> {
  const {metadata} = await readSafetensorsHeader(file)
  const {value} = parseJson(metadata['state'] ?? '')
  return metadata['format'] === FORMAT && isObject(value) ? value : null
}

/** The checkpoints in a directory, the newest first; none if there is no such directory. */
export async function listCheckpoints(directory: string): Promise<CheckpointFile[]> {
  const found = await namesIn(directory)
  return found
    .flatMap((name) => {
      const [, step] = NAME.exec(name) ?? []
      return step === undefined ? [] : [{file: path.join(directory, name), step: Number(step)}]
    })
    .sort((a, b) => b.step - a.step)
}

/** Removes all but the newest `keep`. */
export async function pruneCheckpoints(directory: string, keep: number): Promise<void> {
  for (const {file} of (await listCheckpoints(directory)).slice(keep)) await rm(file, {force: true})
}

/** Renames a checkpoint that cannot be used, so that it is kept but counts no longer. */
export async function setAside(file: string): Promise<void> {
  try {
    await rename(file, `${file}.damaged`)
  } catch (error) {
    throw fileSystemError(error, 'write', file)
  }
}

/** Removes what writes that were cut short have left in a directory. Those of locks may belong to a program that waits. */
export async function removePartialFiles(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (isPartial(name) && !name.startsWith(`${LOCK}.`)) {
      await rm(path.join(directory, name), {force: true, recursive: true})
    }
  }
}

/** Whether a file of this name is one that was being written when its writer was killed. */
export function isPartial(name: string): boolean {
  return /^\..+\.[\da-f]{12}\.partial$/.test(name)
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw fileSystemError(error, 'read', directory)
  }
}

/** SHA-256 over the text, and over name, shape and numbers of every tensor. */
export function digestOf(text: string, tensors: ReadonlyMap<string, CheckpointTensor>): string {
  const hash = createHash('sha256').update(JSON.stringify(text))
  for (const name of [...tensors.keys()].sort()) {
    const {shape, values} = tensors.get(name) as CheckpointTensor
    hash.update(JSON.stringify([name, shape])).update(fromFloat32(values, 'F32'))
  }
  return hash.digest('hex')
}

function damaged(file: string, message: string): FileError {
  return refusal(`The checkpoint ${file} is damaged.`, [{message, where: path.basename(file)}])
}

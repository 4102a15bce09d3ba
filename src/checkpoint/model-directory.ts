/**
 * Opens a model as Hugging Face lays it out: config.json beside model.safetensors, or beside several such files and an
 * index of them. Only headers are read here; what the config means is for `model/` to say.
 */
import {createHash} from 'node:crypto'
import {readdir} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../errors.js'
import {fileSystemError, quoted, refusal, systemCode} from './file-faults.js'
import {readJsonFile} from './json-file.js'
import {type TensorEntry} from './safetensors-header.js'
import {readTensorPieces} from './safetensors-read.js'
import {readShardedWeights} from './shard-index.js'
import {collectHeader, type Weights} from './weight-files.js'

const CONFIG = 'config.json'
const WEIGHTS = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

/** Bytes in memory while hashing. */
const PIECE_BYTES = 8 * 1024 * 1024

export interface ModelFiles {
  readonly directory: string
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly weightFiles: readonly string[]
  readonly indexFile: string | null
}

export async function openModelDirectory(directory: string): Promise<ModelFiles> {
  const names = await listDirectory(directory)
  // Python writes Infinity into configs, and reads it.
  const config = await readJsonFile(path.join(directory, CONFIG), {pythonNumbers: true})
  // As in transformers, the single file goes before an index.
  const indexFile = !names.has(WEIGHTS) && names.has(INDEX) ? path.join(directory, INDEX) : null
  const weights =
    indexFile === null ? await readSingleFile(directory, names) : await readShardedWeights(directory, indexFile)

  const faults = [...config.faults, ...weights.faults]
  if (config.object === null || faults.length > 0) {
    throw refusal(`Cannot open the model in ${directory}`, faults, hintFor(names))
  }

  const {tensors, weightFiles} = weights
  return {config: config.object, directory, indexFile, tensors, weightFiles}
}

/** Its config.json alone, for what needs no weights. */
export async function readModelConfig(directory: string): Promise<ModelFiles['config']> {
  const names = await listDirectory(directory)
  const {faults, object} = await readJsonFile(path.join(directory, CONFIG), {pythonNumbers: true})
  if (object === null) throw refusal(`Cannot read the model in ${directory}`, faults, hintFor(names))
  return object
}

/**
 * 'sha256:…' over every tensor's name, dtype, shape and bytes in the order of the names: the same for the same weights
 * however they are spread over files.
 */
export async function fingerprintTensors(tensors: ReadonlyMap<string, TensorEntry>): Promise<string> {
  const hash = createHash('sha256')
  // Not by locale: the order must be the same on every machine.
  const ordered = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [name, entry] of ordered) {
    hash.update(`${JSON.stringify([name, entry.dtype, entry.shape])}\n`)
    for await (const piece of readTensorPieces(entry, PIECE_BYTES)) hash.update(piece)
  }

  return `sha256:${hash.digest('hex')}`
}

async function listDirectory(directory: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(directory))
  } catch (error) {
    const hint = `Give the path of a directory that holds ${CONFIG} and ${WEIGHTS}.`
    const code = systemCode(error)
    if (code === 'ENOENT') throw new FileError(`No model at ${directory}: there is no such directory`, {hint})
    if (code === 'ENOTDIR') throw new FileError(`No model at ${directory}: this is not a directory`, {hint})
    throw fileSystemError(error, 'read', directory)
  }
}

async function readSingleFile(directory: string, names: ReadonlySet<string>): Promise<Weights> {
  const file = path.join(directory, WEIGHTS)
  if (names.has(WEIGHTS)) {
    const {faults, header} = await collectHeader(file)
    return {faults, tensors: header === null ? new Map<string, TensorEntry>() : header.entries, weightFiles: [file]}
  }

  const message = `there are no weights: neither ${WEIGHTS} nor ${INDEX}${foundInstead(names)}`
  return {faults: [{message, where: directory}], tensors: new Map(), weightFiles: []}
}

function foundInstead(names: ReadonlySet<string>): string {
  const pickled = pickledWeights(names)
  if (pickled.length > 0) return `. ${listed(pickled)} is not read yet; weights in safetensors are needed`
  const others = [...names].filter((name) => name.endsWith('.safetensors')).sort()
  return others.length > 0 ? `; found ${listed(others)}` : ''
}

/** Weights as PyTorch stores them. */
function pickledWeights(names: ReadonlySet<string>): readonly string[] {
  return [...names].filter((name) => /\.(?:bin|bin\.index\.json|pt|pth|ckpt)$/.test(name)).sort()
}

function listed(names: readonly string[]): string {
  return `${names
    .slice(0, 3)
    .map((name) => quoted(name))
    .join(', ')}${names.length > 3 ? ' …' : ''}`
}

function hintFor(names: ReadonlySet<string>): string {
  if (names.has('adapter.json') || names.has('adapter_config.json')) {
    return 'This is an adapter: name the model that it was trained on, and give this directory as the adapter.'
  }

  if (!names.has(WEIGHTS) && !names.has(INDEX) && pickledWeights(names).length > 0) {
    return 'Load the model in Hugging Face transformers and store it again with `save_pretrained`, which writes safetensors.'
  }

  return `A model is a directory with ${CONFIG} and ${WEIGHTS}, as Hugging Face transformers stores it; copy or download it again.`
}

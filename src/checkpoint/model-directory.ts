/**
 * Opens a model: config.json beside model.safetensors or pytorch_model.bin, or beside several such files and an index of
 * them, as Hugging Face or Mamba's authors lay it out. Only headers are read here, and the authors' words are translated
 * into Hugging Face's; what the config means is for `model/` to say.
 */
import {createHash} from 'node:crypto'
import {readdir} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../errors.js'
import {fileSystemError, quoted, refusal, systemCode} from './file-faults.js'
import {readJsonFile} from './json-file.js'
import {type Layout, translateConfig, translateTensors} from './original-layout.js'
import {type TensorEntry} from './safetensors-header.js'
import {readTensorPieces} from './safetensors-read.js'
import {readShardedWeights} from './shard-index.js'
import {collectHeader, isFile, type Weights} from './weight-files.js'

const CONFIG = 'config.json'
const WEIGHTS = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

/** Weights in the order in which they are looked for, transformers' own: safetensors first, the single file first. */
export const WEIGHT_FILES = [WEIGHTS, INDEX, 'pytorch_model.bin', 'pytorch_model.bin.index.json'] as const

/** Bytes in memory while hashing. */
const PIECE_BYTES = 8 * 1024 * 1024

export interface ModelFiles {
  readonly directory: string
  /** How it is laid out on disk. Config and tensors below have Hugging Face's names whatever it is. */
  readonly layout: Layout
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly weightFiles: readonly string[]
  readonly indexFile: string | null
}

export async function openModelDirectory(directory: string): Promise<ModelFiles> {
  const names = await listDirectory(directory)
  // Python writes Infinity into configs, and reads it.
  const config = await readJsonFile(path.join(directory, CONFIG), {pythonNumbers: true})
  const found = WEIGHT_FILES.find((name) => names.has(name))
  const indexFile = found?.endsWith('.index.json') ? path.join(directory, found) : null
  const weights =
    indexFile === null ? await readSingleFile(directory, names, found) : await readShardedWeights(directory, indexFile)

  const faults = [...config.faults, ...weights.faults]
  const translated = config.object && translateConfig(config.object, path.join(directory, CONFIG))
  faults.push(...(translated?.faults ?? []))
  if (translated === null || faults.length > 0) {
    throw refusal(`Cannot open the model in ${directory}`, faults, hintFor(names))
  }

  const tensors = translateTensors(weights.tensors, translated)
  const {config: words, layout} = translated
  return {config: words, directory, indexFile, layout, tensors, weightFiles: weights.weightFiles}
}

/** True for a directory with a config.json and no adapter in it. */
export async function isModelDirectory(directory: string): Promise<boolean> {
  const has = (name: string): Promise<boolean> => isFile(path.join(directory, name))
  return (await has(CONFIG)) && !(await has('adapter.json')) && !(await has('adapter_config.json'))
}

/** Its config.json alone, for what needs no weights. */
export async function readModelConfig(directory: string): Promise<ModelFiles['config']> {
  const names = await listDirectory(directory)
  const {faults, object} = await readJsonFile(path.join(directory, CONFIG), {pythonNumbers: true})
  if (object === null) throw refusal(`Cannot read the model in ${directory}`, faults, hintFor(names))
  const translated = translateConfig(object, path.join(directory, CONFIG))
  if (translated.faults.length === 0) return translated.config
  throw refusal(`Cannot read the model in ${directory}`, translated.faults)
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

async function readSingleFile(
  directory: string,
  names: ReadonlySet<string>,
  found: string | undefined,
): Promise<Weights> {
  if (found !== undefined) {
    const file = path.join(directory, found)
    const {faults, header} = await collectHeader(file)
    return {faults, tensors: header === null ? new Map<string, TensorEntry>() : header.entries, weightFiles: [file]}
  }

  const message = `there are no weights: none of ${WEIGHT_FILES.join(', ')}${foundInstead(names)}`
  return {faults: [{message, where: directory}], tensors: new Map(), weightFiles: []}
}

function foundInstead(names: ReadonlySet<string>): string {
  const others = [...names].filter((name) => /\.(?:safetensors|bin|pt|pth|ckpt)$/.test(name)).sort()
  return others.length > 0 ? `; found ${listed(others)}` : ''
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

  if (!names.has(WEIGHTS) && !names.has(INDEX) && [...names].some((name) => name.endsWith('.bin'))) {
    return 'Copy or download it again. Only tensors are read from files of PyTorch: if you trust one that holds more, store its weights as safetensors there.'
  }

  return `A model is a directory with ${CONFIG} and ${WEIGHTS} or pytorch_model.bin; copy or download it again.`
}

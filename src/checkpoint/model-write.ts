/**
 * A model directory → another: every tensor of it in safetensors, one in memory at a time, in the layout of Hugging Face or of
 * Mamba's authors, and the files beside the weights. What stays the same is copied as text: transformers refuses `1` where
 * its own config says `1.0`, a difference that JSON.parse and JSON.stringify lose.
 */
import {copyFile, readdir, readFile} from 'node:fs/promises'
import path from 'node:path'

import {bytesPerElement, type SafetensorsDtype} from './dtypes.js'
import {refusal} from './file-faults.js'
import {isObject, readJsonFile} from './json-file.js'
import {type ModelFiles} from './model-directory.js'
import {type Layout} from './original-layout.js'
import {writeFileDurably} from './output-directory.js'
import {elementCount, type TensorEntry} from './safetensors-header.js'
import {type TensorSource, writeSafetensors} from './safetensors-write.js'
import {originalNames, toOriginalConfig} from './to-original-layout.js'
import {isFile, readWeightHeader} from './weight-files.js'

export interface ModelWrite {
  readonly files: ModelFiles
  readonly layout: Layout
  /** An empty directory */
  readonly into: string
  readonly dtypeOf: (entry: TensorEntry) => SafetensorsDtype
  /** Absent: tensors keep their shapes. */
  readonly shapeOf?: (entry: TensorEntry) => readonly number[]
  readonly bytesOf: (entry: TensorEntry) => Promise<Uint8Array>
  /** What becomes of the text of config.json */
  readonly editConfig?: ((text: string) => string) | undefined
  /** Files that are not copied */
  readonly without?: ReadonlySet<string>
}

/** Files of a model directory that are weights; the rest is copied. */
const WEIGHT_FILE = /\.(safetensors|bin|pt|pth|gguf)$|\.(safetensors|bin)\.index\.json$/

const CONFIG = 'config.json'

export async function writeModel(options: ModelWrite): Promise<void> {
  const {editConfig = (text) => text, files, into, layout, without} = options
  const config = editConfig(await configText(files, layout))
  const shards = await shardsOf(options)
  for (const {metadata, name, sources} of shards) await writeSafetensors(path.join(into, name), sources, metadata)
  if (files.indexFile !== null) await writeIndex(files.indexFile, shards, into)
  await writeFileDurably(path.join(into, CONFIG), config)
  for (const name of await readdir(files.directory)) {
    const source = path.join(files.directory, name)
    // The Hugging Face cache holds links to files, so links are followed.
    if (name === CONFIG || WEIGHT_FILE.test(name) || without?.has(name) || !(await isFile(source))) continue
    await copyFile(source, path.join(into, name))
  }
}

async function configText({config, directory, layout: from}: ModelFiles, layout: Layout): Promise<string> {
  const source = path.join(directory, CONFIG)
  if (layout === from) return readFile(source, 'utf8')
  if (layout === 'hf') return jsonText(config)
  const {config: original, faults} = toOriginalConfig(config, source)
  if (faults.length > 0) throw refusal(`${source} cannot be written in the original layout`, faults)
  return jsonText(original)
}

/** As Python writes it: limits are floats, and may be Infinity. */
function jsonText(config: Readonly<Record<string, unknown>>): string {
  const limits: string[] = []
  const text = JSON.stringify(
    config,
    (key: string, value: unknown) => {
      if (!/^(?:time_step|dt)_limit$/.test(key) || !Array.isArray(value)) return value
      const numbers = value.map((limit) => (Number.isInteger(limit) ? `${limit}.0` : String(limit)))
      return `@${limits.push(`[${numbers.join(', ')}]`) - 1}@`
    },
    2,
  )
  return `${text.replace(/"@(\d+)@"/g, (same, index: string) => limits[Number(index)] ?? same)}\n`
}

interface Shard {
  readonly name: string
  readonly sources: readonly TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
}

/** The tensors of each file that there will be. */
async function shardsOf({bytesOf, dtypeOf, files, layout, shapeOf = ({shape}) => shape}: ModelWrite): Promise<Shard[]> {
  const {config, tensors, weightFiles} = files
  const tied = config.tie_word_embeddings ?? config.model_type === 'mamba'
  const names =
    layout === 'hf'
      ? [...tensors.keys()].map((name) => [name, name])
      : [...originalNames(tensors.keys(), tied === true)]
  const shards = weightFiles.map(async (file) => ({
    metadata: file.endsWith('.bin') ? {format: 'pt'} : {...(await readWeightHeader(file)).metadata},
    name: safetensorsName(path.basename(file)),
    sources: names.flatMap(([name, from]): TensorSource[] => {
      const entry = tensors.get(from)
      if (entry?.file !== file) return []
      return [{bytes: () => bytesOf(entry), dtype: dtypeOf(entry), name, shape: shapeOf(entry)}]
    }),
  }))
  return Promise.all(shards)
}

/** pytorch_model-00001-of-00002.bin → model-00001-of-00002.safetensors */
function safetensorsName(name: string): string {
  return name.endsWith('.bin') ? name.replace(/^pytorch_model/, 'model').replace(/\.bin$/, '.safetensors') : name
}

async function writeIndex(indexFile: string, shards: readonly Shard[], into: string): Promise<void> {
  const {object} = await readJsonFile(indexFile)
  const metadata = object && isObject(object.metadata) ? object.metadata : {}
  const sizes = shards.flatMap(({sources}) =>
    sources.map(({dtype, shape}) => (elementCount(shape) ?? 0) * bytesPerElement[dtype]),
  )
  const places = shards.flatMap(({name, sources}) => sources.map((source) => [source.name, name] as const))
  const index = {
    ...object,
    metadata: {...metadata, total_size: sizes.reduce((sum, size) => sum + size, 0)},
    weight_map: Object.fromEntries(places),
  }
  const name = path.basename(indexFile).replace(/^pytorch_model\.bin/, 'model.safetensors')
  await writeFileDurably(path.join(into, name), `${JSON.stringify(index, null, 2)}\n`)
}

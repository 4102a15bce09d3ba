/**
 * Adapter + base → a merged checkpoint directory that Hugging Face transformers loads as it is:  W ← W + ΔW.
 *
 * It works on files, shard by shard and tensor by tensor, on the processor: sums are f32 (products of low-rank factors
 * f64), each rounded once to the stored number format. Everything beside the weights is copied.
 */
import {copyFile, readdir, readFile} from 'node:fs/promises'
import path from 'node:path'
import {fromFloat32, type SafetensorsDtype} from '../checkpoint/dtypes.js'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {writeFileDurably} from '../checkpoint/output-directory.js'
import {isFile} from '../checkpoint/weight-files.js'
import {
  readSafetensorsHeader,
  readTensorBytes,
  readTensorFloat32,
  type TensorEntry,
  writeSafetensors,
} from '../checkpoint/safetensors.js'
import {FileError, MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {canMerge, type MergeStep, type ParameterValues} from './method.js'
import {methodOf} from './registry.js'
import {type SavedAdapter} from './saved-adapter.js'

export type MergeDtype = 'same' | 'f32' | 'bf16' | 'f16'

/** Files of a model directory that are weights; the rest is copied. */
const WEIGHT_FILE = /\.(safetensors|bin|pt|pth|gguf)$|\.safetensors\.index\.json$/

/** The entries of an adapter that can be merged exactly, and those that cannot. */
export function splitByMerge({settings}: SavedAdapter): {mergeable: number[]; others: number[]} {
  const indices = [...settings.keys()]
  const mergeable = indices.filter((index) => canMerge(methodOf(settings[index]).merge))
  return {mergeable, others: indices.filter((index) => !mergeable.includes(index))}
}

/** Refuses an adapter with parts that have no exact merge; with `partial`, only one with nothing else. */
export function checkMergeable(saved: SavedAdapter, partial: boolean): void {
  const {mergeable, others} = splitByMerge(saved)
  if (others.length === 0 || (partial && mergeable.length > 0)) return
  const refusals = others.flatMap((index) => {
    const {merge, name} = methodOf(saved.settings[index])
    return canMerge(merge)
      ? []
      : [{fault: {message: merge.reason, where: `adapters.${index} (${name})`}, instead: merge.instead}]
  })
  const alternative =
    mergeable.length > 0 ? ' Or add --partial: the rest is merged, and this stays an adapter of the result.' : ''
  throw new MismatchError('This adapter cannot be merged: a part of it has no place in the weights.', {
    faults: refusals.map(({fault}) => fault),
    hint: `${refusals[0].instead}${alternative}`,
  })
}

/** Files that speak of the base and would be untrue of the merged model. */
const OF_THE_BASE_ALONE: ReadonlySet<string> = new Set(['README.md', 'merge.json'])

/** What each checkpoint tensor becomes: the updates of all entries that can be merged. */
export function mergeSteps({settings, values}: SavedAdapter, config: MambaConfig): ReadonlyMap<string, MergeStep> {
  const all = new Map<string, MergeStep>()
  for (const [index, entry] of settings.entries()) {
    const {merge} = methodOf(entry)
    if (!canMerge(merge)) continue
    for (const [name, step] of merge.steps(entry, config, valuesOf(values, index))) {
      const earlier = all.get(name)
      all.set(name, (weight) => {
        earlier?.(weight)
        step(weight)
      })
    }
  }
  return all
}

/** These entries alone, numbered anew. */
export function selectEntries(saved: SavedAdapter, indices: readonly number[]): SavedAdapter {
  const values = indices.flatMap((index, position) =>
    [...valuesOf(saved.values, index)].map(([name, value]) => [`adapters.${position}.${name}`, value] as const),
  )
  return {...saved, settings: indices.map((index) => saved.settings[index]), values: new Map(values)}
}

/** One adapter's tensors by the method's own names. */
function valuesOf(values: ReadonlyMap<string, ParameterValues>, index: number): ReadonlyMap<string, ParameterValues> {
  const prefix = `adapters.${index}.`
  return new Map(
    [...values].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]),
  )
}

export interface MergeOptions {
  readonly files: ModelFiles
  readonly steps: ReadonlyMap<string, MergeStep>
  readonly dtype: MergeDtype
  /** An empty directory */
  readonly into: string
  readonly report?: (done: number, total: number) => void
}

/** Writes the merged checkpoint. Returns the names of the tensors that changed. */
export async function writeMerged({dtype, files, into, report = () => {}, steps}: MergeOptions): Promise<string[]> {
  const total = files.tensors.size
  let done = 0
  for (const file of files.weightFiles) {
    const {metadata} = await readSafetensorsHeader(file)
    const entries = [...files.tensors.values()].filter((entry) => entry.file === file)
    const sources = entries.map((entry) => {
      const stored = storedDtype(entry, dtype)
      return {
        async bytes(): Promise<Uint8Array> {
          const bytes = await mergedBytes(entry, stored, steps.get(entry.name))
          report(++done, total)
          return bytes
        },
        dtype: stored,
        name: entry.name,
        shape: entry.shape,
      }
    })
    await writeSafetensors(path.join(into, path.basename(file)), sources, {...metadata})
  }
  await copyTheRest(files, dtype, into)
  return [...steps.keys()]
}

function storedDtype({dtype}: TensorEntry, wanted: MergeDtype): SafetensorsDtype {
  return wanted === 'same' ? dtype : (wanted.toUpperCase() as SafetensorsDtype)
}

async function mergedBytes(
  entry: TensorEntry,
  stored: SafetensorsDtype,
  step: MergeStep | undefined,
): Promise<Uint8Array> {
  if (!step && stored === entry.dtype) return readTensorBytes(entry)
  const values = (await readTensorFloat32(entry)).slice()
  step?.(values)
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) throw new FileError(`Merging makes ${entry.name} not finite: value ${bad} is ${values[bad]}.`)
  if (stored !== 'F32' && stored !== 'F16' && stored !== 'BF16') {
    throw new FileError(`${entry.name} is stored as ${stored}, which cannot be merged into.`, {
      hint: 'Use --dtype f32.',
    })
  }
  return fromFloat32(values, stored)
}

async function copyTheRest(files: ModelFiles, dtype: MergeDtype, into: string): Promise<void> {
  const {directory, indexFile} = files
  for (const name of await readdir(directory)) {
    const isIndex = indexFile !== null && name === path.basename(indexFile)
    const source = path.join(directory, name)
    // The Hugging Face cache holds links to files, so links are followed.
    if ((WEIGHT_FILE.test(name) && !isIndex) || OF_THE_BASE_ALONE.has(name) || !(await isFile(source))) continue
    const target = path.join(into, name)
    if (dtype !== 'same' && name === 'config.json') await writeConfig(source, target, dtype)
    else if (dtype !== 'same' && isIndex) await writeIndex(source, target, files)
    else await copyFile(source, target)
  }
}

/** The index of shards with the size that all tensors have now. */
async function writeIndex(source: string, target: string, {tensors}: ModelFiles): Promise<void> {
  const index = JSON.parse(await readFile(source, 'utf8')) as {metadata?: Record<string, unknown>}
  const shards = new Set([...tensors.values()].map(({file}) => path.join(path.dirname(target), path.basename(file))))
  const headers = await Promise.all([...shards].map((shard) => readSafetensorsHeader(shard)))
  const entries = headers.flatMap((header) => [...header.entries.values()])
  const total = entries.reduce((sum, {begin, end}) => sum + end - begin, 0)
  await writeFileDurably(
    target,
    `${JSON.stringify({...index, metadata: {...index.metadata, total_size: total}}, null, 2)}\n`,
  )
}

/** A config's own word for its number format, under either of transformers' names. */
const FORMAT_KEY = /("(?:torch_dtype|dtype)"\s*:\s*)(?:"[^"]*"|null)/g

/**
 * The config with the new number format. The text is edited, not rewritten: transformers refuses `1` where its own
 * files say `1.0`, a difference that JSON.parse and JSON.stringify lose.
 */
async function writeConfig(source: string, target: string, dtype: Exclude<MergeDtype, 'same'>): Promise<void> {
  const text = await readFile(source, 'utf8')
  const name = {bf16: 'bfloat16', f16: 'float16', f32: 'float32'}[dtype]
  const named = FORMAT_KEY.test(text)
    ? text.replace(FORMAT_KEY, `$1"${name}"`)
    : text.replace('{', `{\n  "dtype": "${name}",`)
  await writeFileDurably(target, named)
}

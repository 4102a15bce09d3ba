/**
 * Adapter + base → a merged checkpoint directory that Hugging Face transformers loads as it is:  W ← W + ΔW.
 *
 * It works on files, shard by shard and tensor by tensor, on the processor: sums are f32 (products of low-rank factors
 * f64), each rounded once to the stored number format. Everything beside the weights is copied; a base in another layout
 * or pickled by PyTorch becomes Hugging Face's layout in safetensors.
 */
import {fromFloat32, type SafetensorsDtype} from '../checkpoint/dtypes.js'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {writeModel} from '../checkpoint/model-write.js'
import {readTensorBytes, readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {FileError, MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {valuesOfEntry} from './adapter-set.js'
import {canMerge, type MergeStep} from './method.js'
import {methodOf} from './registry.js'
import {type SavedAdapter} from './saved-adapter.js'

export type MergeDtype = 'same' | 'f32' | 'bf16' | 'f16'

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
    for (const [name, step] of merge.steps(entry, config, valuesOfEntry(values, index))) {
      const earlier = all.get(name)
      all.set(name, (weight) => {
        earlier?.(weight)
        step(weight)
      })
    }
  }
  return all
}

/** What is to be said of merging these entries, as of delta-scale in Mamba-2. */
export function mergeCaveats({settings}: SavedAdapter, config: MambaConfig): string[] {
  return settings.flatMap((entry) => {
    const {merge} = methodOf(entry)
    return (canMerge(merge) ? merge.caveat?.(entry, config) : null) ?? []
  })
}

/** These entries alone, numbered anew. */
export function selectEntries(saved: SavedAdapter, indices: readonly number[]): SavedAdapter {
  const values = indices.flatMap((index, position) =>
    [...valuesOfEntry(saved.values, index)].map(([name, value]) => [`adapters.${position}.${name}`, value] as const),
  )
  return {...saved, settings: indices.map((index) => saved.settings[index]), values: new Map(values)}
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
  await writeModel({
    async bytesOf(entry) {
      const bytes = await mergedBytes(entry, storedDtype(entry, dtype), steps.get(entry.name))
      report(++done, total)
      return bytes
    },
    dtypeOf: (entry) => storedDtype(entry, dtype),
    editConfig: dtype === 'same' ? undefined : (text) => withFormat(text, dtype),
    files,
    into,
    layout: 'hf',
    without: OF_THE_BASE_ALONE,
  })
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

/** A config's own word for its number format, under either of transformers' names. */
const FORMAT_KEY = /("(?:torch_dtype|dtype)"\s*:\s*)(?:"[^"]*"|null)/g

/** The text of a config with the new number format. */
function withFormat(text: string, dtype: Exclude<MergeDtype, 'same'>): string {
  const name = {bf16: 'bfloat16', f16: 'float16', f32: 'float32'}[dtype]
  return FORMAT_KEY.test(text) ? text.replace(FORMAT_KEY, `$1"${name}"`) : text.replace('{', `{\n  "dtype": "${name}",`)
}

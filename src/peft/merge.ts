/**
 * Adapter + base → a merged checkpoint directory that Hugging Face transformers loads as it is:  W ← W + ΔW.
 *
 * It works on files, shard by shard and tensor by tensor, on the processor: sums are f32 (products of low-rank factors
 * f64), each rounded once to the stored number format. Everything beside the weights is copied; a base in another layout
 * or pickled by PyTorch becomes Hugging Face's layout in safetensors.
 */
import {fromFloat32, type SafetensorsDtype} from '../checkpoint/dtypes.js'
import {firstNotFinite} from '../checkpoint/first-not-finite.js'
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {writeModel} from '../checkpoint/model-write.js'
import {readTensorBytes, readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {FileError, MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {withMixerNormText} from '../model/mixer-norm.js'
import {checkValues, parameterSpecs, valuesOfEntry} from './adapter-set.js'
import {type Growth, type GrownTensor} from './growth.js'
import {canMerge, type MergeStep} from './method.js'
import {methodOf} from './registry.js'
import {type SavedAdapter} from './saved-adapter.js'
import {untiedFiles, untiedSteps, withoutTie} from './untie.js'

export type MergeDtype = 'same' | 'f32' | 'bf16' | 'f16'

/** The entries of an adapter that can be merged exactly, and those that cannot. */
export function splitByMerge({settings}: SavedAdapter): {mergeable: number[]; others: number[]} {
  const indices = [...settings.keys()]
  const mergeable = indices.filter((index) => canMerge(methodOf(settings[index]).merge))
  return {mergeable, others: indices.filter((index) => !mergeable.includes(index))}
}

/** The entries whose merge makes tensors larger. */
export function growingEntries({settings}: SavedAdapter): number[] {
  return [...settings.keys()].filter((index) => {
    const {merge} = methodOf(settings[index])
    return canMerge(merge) && merge.growth !== undefined
  })
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

/** Refuses what would stay an adapter of a merged model whose tensors have other shapes. */
export function checkRest(rest: SavedAdapter, merged: MambaConfig): void {
  const specs = parameterSpecs(rest.settings, merged)
  const [name, shape] =
    [...specs]
      .map(([name, {shape}]) => [name, shape] as const)
      .find(([name, shape]) => rest.values.get(name)?.shape.join() !== shape.join()) ?? []
  if (name === undefined || shape === undefined) return
  throw new MismatchError('What would stay an adapter does not fit the merged model, which has more states.', {
    faults: [
      {
        message: `has shape [${String(rest.values.get(name)?.shape.join(', '))}], and would need [${shape.join(', ')}]`,
        where: name,
      },
    ],
    hint: 'Keep the whole adapter attached with --adapter.',
  })
}

/** Files that speak of the base and would be untrue of the merged model. */
const OF_THE_BASE_ALONE: ReadonlySet<string> = new Set(['README.md', 'merge.json'])

/** What each checkpoint tensor becomes: the updates of all entries that can be merged. Errors: MismatchError for values of another model. */
export function mergeSteps({settings, values}: SavedAdapter, config: MambaConfig): ReadonlyMap<string, MergeStep> {
  checkValues(parameterSpecs(settings, config), values)
  const all = new Map<string, MergeStep>()
  for (const [index, entry] of settings.entries()) {
    const {merge} = methodOf(entry)
    if (!canMerge(merge)) continue
    for (const [name, step] of merge.steps(entry, config, valuesOfEntry(values, index))) {
      const earlier = all.get(name)
      all.set(name, (weight, base) => {
        earlier?.(weight, base)
        step(weight, base)
      })
    }
  }
  return all
}

/** How tensors become larger, in this order, after all steps; see growth.ts. Each growth starts from the model of the one before. */
export function mergeGrowths({settings, values}: SavedAdapter, config: MambaConfig): readonly Growth[] {
  const growths: Growth[] = []
  for (const [index, entry] of [...settings.entries()].reverse()) {
    const {merge} = methodOf(entry)
    if (!canMerge(merge) || !merge.growth) continue
    growths.push(merge.growth(entry, growths.at(-1)?.config ?? config, valuesOfEntry(values, index)))
  }
  return growths
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
  readonly growths: readonly Growth[]
  readonly dtype: MergeDtype
  /** An empty directory */
  readonly into: string
  /** Give a tied model a head of its own. */
  readonly untie?: boolean
  /** ε of the norm on Δ, B and C that the base gets; null: none that it does not have */
  readonly norm?: number | null
  readonly report?: (done: number, total: number) => void
}

/** Writes the merged checkpoint. Returns the names of the tensors that changed. */
export async function writeMerged(options: MergeOptions): Promise<string[]> {
  const {dtype, growths, into, norm = null, report = () => {}, untie = false} = options
  const files = untie ? untiedFiles(options.files) : options.files
  const steps = untie ? untiedSteps(options.steps) : options.steps
  const total = files.tensors.size
  const grownOf = (name: string): GrownTensor[] => growths.flatMap(({tensors}) => tensors.get(name) ?? [])
  let done = 0
  await writeModel({
    async bytesOf(entry) {
      const changes = {growths: grownOf(entry.name), step: steps.get(entry.name)}
      const bytes = await mergedBytes(entry, storedDtype(entry, dtype), changes)
      report(++done, total)
      return bytes
    },
    dtypeOf: (entry) => storedDtype(entry, dtype),
    editConfig(text) {
      const grown = withKeys(dtype === 'same' ? text : withFormat(text, dtype), growths)
      const normed = norm === null ? grown : withMixerNormText(grown, norm)
      return untie ? withoutTie(normed) : normed
    },
    files,
    into,
    layout: 'hf',
    shapeOf: ({name, shape}) => grownOf(name).at(-1)?.shape ?? shape,
    without: OF_THE_BASE_ALONE,
  })
  return [...new Set([...steps.keys(), ...growths.flatMap(({tensors}) => [...tensors.keys()])])]
}

/** What happens to one tensor. */
interface Changes {
  readonly step: MergeStep | undefined
  readonly growths: readonly GrownTensor[]
}

function storedDtype({dtype}: TensorEntry, wanted: MergeDtype): SafetensorsDtype {
  return wanted === 'same' ? dtype : (wanted.toUpperCase() as SafetensorsDtype)
}

async function mergedBytes(
  entry: TensorEntry,
  stored: SafetensorsDtype,
  {growths, step}: Changes,
): Promise<Uint8Array> {
  if (!step && growths.length === 0 && stored === entry.dtype) return readTensorBytes(entry)
  const base = await readTensorFloat32(entry)
  const own = base.slice()
  step?.(own, base)
  const values = growths.reduce<Float32Array>((before, tensor) => tensor.grow(before), own)
  const bad = firstNotFinite(values)
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

/** The text of a config with the keys that growths change. */
function withKeys(text: string, growths: readonly Growth[]): string {
  const keys = Object.entries(Object.assign({}, ...growths.map(({configKeys}) => configKeys)) as Record<string, number>)
  return keys.reduce((before, [key, value]) => {
    const found = new RegExp(`("${key}"\\s*:\\s*)(?:null|[-+.\\deE]+)`)
    return found.test(before) ? before.replace(found, `$1${value}`) : before.replace('{', `{\n  "${key}": ${value},`)
  }, text)
}

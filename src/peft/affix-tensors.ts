/**
 * The vectors of an affix, a prefix or a soft prompt in a file of tensors, told apart by shape and by the layer in the name:
 * one tensor (n, L · width) or (n, L, width) for all layers, as one embedding holds them, or one (n, width) for each layer.
 */
import {type SafetensorsHeader, readTensorFloat32, type TensorEntry} from '../checkpoint/safetensors.js'
import {type Fault, FileError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {projections} from '../model/parameters.js'

export const AFFIX_KINDS = ['affix', 'prefix', 'prompt'] as const
export type AffixKind = (typeof AFFIX_KINDS)[number]

export interface AffixTensors {
  /** n: vectors of a layer */
  readonly length: number
  /** By layer, (n, width) each; one for a prompt */
  readonly rows: readonly Float32Array[]
}

/** 3 in 'layers.3.affix', 'backbone.layers.3.mixer.prefix' and '3' */
const LAYER = /(?:^|layers?\.)(\d+)(?:\.|$)/

/** Errors: FileError when the tensors of the file are none of these, with the shapes that would be. */
export async function readAffix(
  {entries}: SafetensorsHeader,
  kind: AffixKind,
  config: MambaConfig,
  where: string,
): Promise<AffixTensors> {
  const {hidden, inner, layers} = config
  const [[, outputs]] = projections(config)
  const widths = kind !== 'affix' ? [hidden] : config.architecture === 'mamba2' ? [outputs] : [outputs, inner]
  const count = kind === 'prompt' ? 1 : layers
  const all = [...entries.values()]
  const found = all.length === 1 ? ofOne(all[0], count, widths) : ofEach(all, count, widths)
  if (found === null) throw refusal(all, {count, kind, where, widths})
  const {length, read} = found
  return {length, rows: await read()}
}

interface Found {
  readonly length: number
  readonly read: () => Promise<Float32Array[]>
}

/** One tensor with the vectors of all layers side by side. */
function ofOne(entry: TensorEntry, count: number, widths: readonly number[]): Found | null {
  const [length, ...rest] = entry.shape
  const numbers = rest.reduce((product, size) => product * size, 1)
  const width = widths.find((candidate) => candidate * count === numbers)
  if (entry.shape.length < 2 || width === undefined || length === 0) return null
  return {
    length,
    async read() {
      const values = await readTensorFloat32(entry)
      return Array.from({length: count}, (_, layer) =>
        Float32Array.from({length: length * width}, (_, at) => {
          const row = Math.trunc(at / width)
          return values[(row * count + layer) * width + (at % width)]
        }),
      )
    },
  }
}

/** One tensor for each layer. */
function ofEach(entries: readonly TensorEntry[], count: number, widths: readonly number[]): Found | null {
  const byLayer = new Map(entries.map((entry) => [Number(LAYER.exec(entry.name)?.[1] ?? -1), entry]))
  const ordered = Array.from({length: count}, (_, layer) => byLayer.get(layer))
  const [length = 0, width = 0] = ordered[0]?.shape ?? []
  const fits = (entry: TensorEntry | undefined): entry is TensorEntry => entry?.shape.join() === [length, width].join()
  if (entries.length !== count || !widths.includes(width) || length === 0 || !ordered.every(fits)) return null
  return {length, read: () => Promise.all(ordered.map((entry) => readTensorFloat32(entry)))}
}

interface Expected {
  readonly kind: AffixKind
  readonly count: number
  readonly widths: readonly number[]
  readonly where: string
}

function refusal(entries: readonly TensorEntry[], {count, kind, where, widths}: Expected): FileError {
  const faults = entries
    .slice(0, 8)
    .map(({name, shape}): Fault => ({message: `has shape [${shape.join(', ')}]`, where: name}))
  const one = widths.map((width) => `(n, ${count * width})`).join(' or ')
  const each = widths.map((width) => `(n, ${width})`).join(' or ')
  const expected =
    count === 1 ? `one tensor ${one}` : `one tensor ${one}, or ${count} tensors ${each} named layers.0, layers.1, …`
  return new FileError(`${where} holds no ${kind} for this model: expected ${expected}.`, {
    faults,
    hint: `Say what it holds with --kind: ${AFFIX_KINDS.join(', ')}.`,
  })
}

/**
 * How much an adapter changes a model, layer by layer and part by part: ‖ΔW‖ in the Frobenius norm, which is what `adapter
 * info` and the heat maps of reports show.
 */
import {type KnownModel, type UpdatePart, updateParts, weightNorm} from '../peft/update-parts.js'
import {norm, numbersOf} from '../peft/low-rank.js'
import {type SavedAdapter} from '../peft/saved-adapter.js'

export interface PartNorm {
  /** 'layers.0.mixer.in_proj.x' */
  readonly site: string
  /** null outside the layers */
  readonly layer: number | null
  /** The same in every layer: 'in_proj.x' */
  readonly part: string
  /** Of all low-rank updates together; null for other kinds */
  readonly rank: number | null
  /** ‖ΔW‖ */
  readonly norm: number
  /** ‖ΔW‖ / √(its numbers), which can be compared between parts of different sizes */
  readonly rms: number
  /** ‖ΔW‖ / ‖W‖; null without the weights */
  readonly relative: number | null
}

export interface UpdateNorms {
  readonly parts: readonly PartNorm[]
  readonly unknown: readonly {readonly entry: number; readonly reason: string}[]
}

export async function updateNorms(saved: SavedAdapter, model: KnownModel | null): Promise<UpdateNorms> {
  const {parts, unknown} = await updateParts(saved, model)
  const norms: PartNorm[] = []
  for (const part of parts) norms.push(await partNorm(part, model))
  return {parts: norms, unknown}
}

async function partNorm(part: UpdatePart, model: KnownModel | null): Promise<PartNorm> {
  const size = norm(part.update)
  const weight = await weightNorm(part, model)
  return {
    site: part.name,
    ...placeOf(part.name),
    rank: part.rank,
    norm: size,
    rms: size / Math.sqrt(numbersOf(part.update)),
    relative: weight === null || weight === 0 ? null : size / weight,
  }
}

export function placeOf(site: string): {readonly layer: number | null; readonly part: string} {
  const [, layer, part] = /^layers\.(\d+)\.(?:mixer\.)?(.+)$/.exec(site) ?? []
  return layer === undefined ? {layer: null, part: site} : {layer: Number(layer), part}
}

/** Norms as a grid. A cell is null where the adapter changes nothing. */
export interface NormGrid {
  /** Along one side, in the order of the computation */
  readonly parts: readonly string[]
  /** Along the other; what lies outside the layers is in the last, null */
  readonly layers: readonly (number | null)[]
  /** cells[part][layer] */
  readonly cells: readonly (readonly (number | null)[])[]
  readonly largest: number
}

/** The order in which a layer computes; other parts follow by name. */
const ORDER = [
  ['norm.weight', 'in_proj', 'in_proj.x', 'in_proj.z', 'in_proj.B', 'in_proj.C', 'in_proj.dt', 'conv1d', 'x_proj'],
  ['x_proj.dt', 'x_proj.B', 'x_proj.C', 'dt_proj', 'out_proj'],
].flat()

/** Compares two parts. */
export function orderOf(a: string, b: string): number {
  const rank = (part: string): number => (ORDER.includes(part) ? ORDER.indexOf(part) : ORDER.length)
  return rank(a) - rank(b) || (a < b ? -1 : 1)
}

export function gridOf(norms: readonly Pick<PartNorm, 'layer' | 'norm' | 'part'>[]): NormGrid {
  const parts = [...new Set(norms.map(({part}) => part))].sort(orderOf)
  const inside = norms.flatMap(({layer}) => (layer === null ? [] : [layer]))
  const count = inside.length === 0 ? 0 : Math.max(...inside) + 1
  const outside = inside.length < norms.length ? [null] : []
  const layers = [...Array.from({length: count}, (_, layer) => layer), ...outside]
  const found = new Map(norms.map(({layer, norm: size, part}) => [`${layer} ${part}`, size]))
  return {
    cells: parts.map((part) => layers.map((layer) => found.get(`${layer} ${part}`) ?? null)),
    largest: norms.reduce((most, {norm: size}) => Math.max(most, size), 0),
    layers,
    parts,
  }
}

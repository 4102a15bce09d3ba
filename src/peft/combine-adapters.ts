/**
 * Adapters of one base → one adapter that adds their weighted sum:  ΔW = Σ w ΔW_i. Low-rank updates of a site become one by
 * stacking their ranks, which is exact; with a rank, that one is cut to it in the best way there is (low-rank-svd.ts). What
 * PiSSA starts from counts as ranks of its own, subtracted.
 * Initial states are summed number by number. No optimizer of one of the adapters would have found it: what the sum does is
 * for a test to say.
 */
import {type Fault, MismatchError} from '../errors.js'
import {type LowRank, norm, stackedTerms} from './low-rank.js'
import {truncated} from './low-rank-svd.js'
import {loraScale} from './lora-settings.js'
import {type LoraUpdate, loraUpdates} from './lora-updates.js'
import {type AdapterSettings} from './method-settings.js'
import {type ParameterValues} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'

export interface WeightedAdapter {
  /** As messages name it */
  readonly name: string
  readonly weight: number
  readonly saved: SavedAdapter
}

export interface CombinedSite {
  readonly site: string
  /** Of all updates, stacked */
  readonly stacked: number
  /** Of the result */
  readonly rank: number
  /** ‖what was cut‖ / ‖ΔW‖ */
  readonly error: number
  /** ‖ΔW‖ before cutting */
  readonly norm: number
}

export interface Combination extends Pick<SavedAdapter, 'settings' | 'values'> {
  readonly sites: readonly CombinedSite[]
  /** Of all sites together */
  readonly error: number
}

/** `rank` null keeps all. Errors: MismatchError for adapters of other models, and for methods that have no sum. */
export function combine(adapters: readonly WeightedAdapter[], rank: number | null): Combination {
  refuseOthers(adapters)
  const sites = [...bySite(adapters)].map(([site, updates]) => combinedSite(site, updates, rank))
  const values = new Map<string, ParameterValues>()
  const groups = new Map<number, Combined[]>()
  for (const site of sites) groups.set(site.update.rank, [...(groups.get(site.update.rank) ?? []), site])
  const everywhere = inEveryLayer(adapters)
  const settings = [...groups].map(([own, group], index): AdapterSettings => {
    for (const {facts, update} of group) {
      const {columns, down, rows, up} = update
      values.set(`adapters.${index}.${facts.site}.lora_A`, {shape: [own, columns], values: down})
      values.set(`adapters.${index}.${facts.site}.lora_B`, {shape: [rows, own], values: up})
    }
    const others = new Set(sites.flatMap((site) => (site.update.rank === own ? [] : [partOf(site.facts.site)])))
    const targets = group.map(({facts: {site}}) => {
      const part = partOf(site)
      return everywhere.has(part) && !others.has(part) ? part : site
    })
    return {alpha: own, dropout: 0, method: 'lora', rank: own, rslora: false, targets: [...new Set(targets)]}
  })
  const states = combinedStates(adapters, settings.length)
  const facts = sites.map((site) => site.facts)
  return {
    error: relativeError(facts),
    settings: [...settings, ...states.settings],
    sites: facts,
    values: new Map([...values, ...states.values]),
  }
}

interface Combined {
  readonly facts: CombinedSite
  readonly update: LowRank
}

function combinedSite(site: string, updates: readonly LowRank[], rank: number | null): Combined {
  const stacked = stackedTerms(updates)
  const most = Math.min(stacked.rows, stacked.columns, stacked.rank)
  const cut = rank === null ? {error: 0, update: stacked} : truncated(stacked, Math.min(rank, most))
  const facts = {
    error: cut.error,
    norm: norm({terms: [stacked]}),
    rank: cut.update.rank,
    site,
    stacked: stacked.rank,
  }
  return {facts, update: cut.update}
}

function relativeError(sites: readonly CombinedSite[]): number {
  const all = sites.reduce((sum, {norm: size}) => sum + size * size, 0)
  const lost = sites.reduce((sum, {error, norm: size}) => sum + (error * size) ** 2, 0)
  return all === 0 ? 0 : Math.sqrt(lost / all)
}

/** The weighted updates of each site. Errors: MismatchError where they have other rows or columns. */
function bySite(adapters: readonly WeightedAdapter[]): ReadonlyMap<string, readonly LowRank[]> {
  const sites = new Map<string, LowRank[]>()
  const faults: Fault[] = []
  for (const {name, saved, weight} of adapters) {
    for (const update of loraUpdates(saved)) {
      const own = weighted(update, weight)
      const others = sites.get(update.site) ?? []
      const [first = own] = others
      if (first.rows !== own.rows || first.columns !== own.columns) {
        const message = `${name} has ${own.rows} × ${own.columns}, and another adapter ${first.rows} × ${first.columns}`
        faults.push({message, where: update.site})
      }
      sites.set(update.site, [...others, own])
    }
  }
  if (faults.length > 0) throw new MismatchError('The adapters belong to models of other sizes.', {faults})
  return sites
}

function weighted({down, settings, up}: LoraUpdate, weight: number): LowRank {
  return {
    columns: down.shape[1],
    down: down.values,
    rank: settings.rank,
    rows: up.shape[0],
    scale: weight * loraScale(settings),
    up: up.values,
  }
}

const partOf = (site: string): string => site.replace(/^layers\.\d+\.mixer\./, '')

/** Projections and slices that an entry names bare, so that all layers have them. */
function inEveryLayer(adapters: readonly WeightedAdapter[]): ReadonlySet<string> {
  return new Set(
    adapters.flatMap(({saved}) => saved.settings.flatMap((entry) => (entry.method === 'lora' ? entry.targets : []))),
  )
}

function combinedStates(
  adapters: readonly WeightedAdapter[],
  first: number,
): {readonly settings: readonly AdapterSettings[]; readonly values: ReadonlyMap<string, ParameterValues>} {
  const values = new Map<string, ParameterValues>()
  const kinds = {conv: false, scan: false}
  for (const {saved, weight} of adapters) {
    for (const [index, entry] of saved.settings.entries()) {
      if (entry.method !== 'initial-state') continue
      kinds.conv ||= entry.conv
      kinds.scan ||= entry.scan
      for (const [name, tensor] of saved.values) {
        const own = `adapters.${index}.`
        if (!name.startsWith(own)) continue
        const target = `adapters.${first}.${name.slice(own.length)}`
        const factor = name.endsWith('.scan') ? weight * (entry.scale ?? 1) : weight
        values.set(target, sumOf(values.get(target), tensor, factor, target))
      }
    }
  }
  return {settings: values.size > 0 ? [{method: 'initial-state', ...kinds}] : [], values}
}

function sumOf(
  before: ParameterValues | undefined,
  own: ParameterValues,
  weight: number,
  where: string,
): ParameterValues {
  const {shape, values} = before ?? {shape: own.shape, values: new Float32Array(own.values.length)}
  if (shape.join() !== own.shape.join()) {
    throw new MismatchError('The adapters belong to models of other sizes.', {
      faults: [{message: `${own.shape.join(' × ')} in the one, ${shape.join(' × ')} in another`, where}],
    })
  }
  return {shape, values: values.map((value, index) => value + weight * own.values[index])}
}

/** A sum has to be an adapter again, made of the same kind of parts. */
function refuseOthers(adapters: readonly WeightedAdapter[]): void {
  const faults = adapters.flatMap(({name, saved: {settings}}) =>
    settings.flatMap((entry, index): Fault[] => {
      const where = `${name} adapters.${index} (${entry.method})`
      if (entry.method === 'lora' && entry.dora) {
        return [{message: 'gives rows of the weights new lengths (dora), so it has no weighted sum', where}]
      }
      if (entry.method === 'lora') return []
      if (entry.method !== 'initial-state') return [{message: 'has no weighted sum', where}]
      const earlier = settings.slice(0, index).some(({method}) => method === 'initial-state')
      if (earlier) return [{message: 'overrides an earlier entry, so the two have no sum', where}]
      return entry.rank === undefined
        ? []
        : [{message: 'is a product of two factors, which have no weighted sum', where}]
    }),
  )
  if (faults.length === 0) return
  throw new MismatchError('Only low-rank updates and whole initial states can be combined.', {
    faults,
    hint: 'Merge the other adapters into the base, one after the other: mambatune merge --help',
  })
}

/**
 * `mambatune adapter diff`: two adapters side by side, in their settings and in what they add to the weights. The cosine
 * says whether two updates of one part pull the same way: 1 the same, 0 at right angles, −1 against each other.
 */
import {MismatchError} from '../errors.js'
import {innerProduct, norm, type Update} from '../peft/low-rank.js'
import {readAdapter, type SavedAdapter} from '../peft/saved-adapter.js'
import {updateParts} from '../peft/update-parts.js'
import {fits, otherSizes} from './adapter-info.js'
import {type NamedModel, openKnownModel} from './open-known-model.js'

export interface SettingDifference {
  /** 'adapters.0.rank' */
  readonly where: string
  /** undefined (absent in JSON) where an adapter has none */
  readonly a?: unknown
  readonly b?: unknown
}

export interface PartDifference {
  readonly site: string
  /** ‖ΔW‖; null where the adapter adds nothing */
  readonly norm_a: number | null
  readonly norm_b: number | null
  /** ‖ΔW_b − ΔW_a‖ */
  readonly difference: number
  /** null where one of them is missing or zero */
  readonly cosine: number | null
}

export interface AdapterDiff {
  readonly a: string
  readonly b: string
  /** null where one of the files does not say */
  readonly same_base: boolean | null
  readonly settings: readonly SettingDifference[]
  readonly parts: readonly PartDifference[]
  readonly norm_a: number
  readonly norm_b: number
  readonly difference: number
  readonly cosine: number | null
  readonly not_compared: readonly {readonly where: string; readonly reason: string}[]
}

/** Errors: FileError for damaged files, MismatchError for tensors that are not those of the settings or of the model. */
export async function adapterDiff(a: string, b: string, named: NamedModel | null): Promise<AdapterDiff> {
  const [first, second] = [await readAdapter(a), await readAdapter(b)]
  const model = await openKnownModel(first, named)
  if (named) await openKnownModel(second, named)
  const own = fits(first, model) && fits(second, model) ? model : null
  if (named && !own) throw otherSizes(named)
  const sides = await Promise.all([updateParts(first, own), updateParts(second, own)])
  const [left, right] = sides.map(({parts}) => new Map(parts.map(({name, update}) => [name, update])))
  const names = [...new Set([...left.keys(), ...right.keys()])]
  const products = names.map((site) => productsOf(site, left.get(site), right.get(site)))
  const total = {
    a: sum(products.map((own) => own.a)),
    b: sum(products.map((own) => own.b)),
    both: sum(products.map((own) => own.both)),
  }
  return {
    a,
    b,
    same_base: sameBase(first, second),
    settings: settingDifferences(first, second),
    parts: products.map((own): PartDifference => ({
      site: own.site,
      norm_a: left.has(own.site) ? Math.sqrt(own.a) : null,
      norm_b: right.has(own.site) ? Math.sqrt(own.b) : null,
      difference: distance(own),
      cosine: cosine(own),
    })),
    norm_a: Math.sqrt(total.a),
    norm_b: Math.sqrt(total.b),
    difference: distance(total),
    cosine: cosine(total),
    not_compared: sides.flatMap(({unknown}, side) =>
      unknown.map(({entry, reason}) => ({reason, where: `${[a, b][side]} adapters.${entry}`})),
    ),
  }
}

interface Products {
  /** ‖ΔW‖² of either, and ⟨ΔW_a, ΔW_b⟩ */
  readonly a: number
  readonly b: number
  readonly both: number
}

function productsOf(site: string, a: Update | undefined, b: Update | undefined): Products & {readonly site: string} {
  if (a && b && sizeOf(a) !== sizeOf(b)) {
    throw new MismatchError('The adapters belong to models of other sizes.', {
      faults: [{message: `${sizeOf(a)} in the one, ${sizeOf(b)} in the other`, where: site}],
    })
  }
  return {site, a: a ? norm(a) ** 2 : 0, b: b ? norm(b) ** 2 : 0, both: a && b ? innerProduct(a, b) : 0}
}

function sizeOf(update: Update): string {
  if ('whole' in update) return `${update.whole.length} numbers`
  const [{columns, rows}] = update.terms
  return `${rows * columns} numbers`
}

/** ‖ΔW_b − ΔW_a‖ */
function distance({a, b, both}: Products): number {
  return Math.sqrt(Math.max(0, a + b - 2 * both))
}

function cosine({a, b, both}: Products): number | null {
  return a > 0 && b > 0 ? Math.max(-1, Math.min(1, both / Math.sqrt(a * b))) : null
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function sameBase({base: a}: SavedAdapter, {base: b}: SavedAdapter): boolean | null {
  return a.fingerprint !== null && b.fingerprint !== null
    ? a.fingerprint === b.fingerprint && a.mixer_rms_eps === b.mixer_rms_eps
    : null
}

function settingDifferences(a: SavedAdapter, b: SavedAdapter): SettingDifference[] {
  return Array.from({length: Math.max(a.settings.length, b.settings.length)}, (_, index) => {
    const [left, right] = [a, b].map(({settings}) => settings[index] as Readonly<Record<string, unknown>> | undefined)
    const keys = [...new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})])]
    return keys.flatMap((key): SettingDifference[] => {
      const [one, other] = [left?.[key], right?.[key]]
      return JSON.stringify(one) === JSON.stringify(other)
        ? []
        : [{a: one, b: other, where: `adapters.${index}.${key}`}]
    })
  }).flat()
}

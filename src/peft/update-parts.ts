/**
 * What an adapter adds to the weights, part by part: a slice of a projection where the sizes of the model are known, else
 * the site as the adapter names it. Low-rank updates stay factors; updates of other methods are told from the weights of
 * the base, by merging into them.
 */
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {readTensorFloat32} from '../checkpoint/safetensors.js'
import {configOf} from '../model/model-files.js'
import {type MambaConfig} from '../model/config.js'
import {EMBEDDINGS, HEAD, parameterShapes} from '../model/parameters.js'
import {type LowRank, type Update} from './low-rank.js'
import {loraScale} from './lora-settings.js'
import {type LoraUpdate, loraUpdates} from './lora-updates.js'
import {type AdapterSettings} from './method-settings.js'
import {type MergeStep} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'
import {adaptableSites, type AdaptableSite, INPUT_ALONE, tensorOf} from './sites-of.js'

/** Rows of a weight that something is added to. */
export interface UpdatePart {
  /** 'layers.0.mixer.in_proj.x', 'layers.0.norm.weight' */
  readonly name: string
  readonly update: Update
  /** Of the low-rank updates that reach it, together; null for updates of other kinds */
  readonly rank: number | null
  /** The tensor of a checkpoint, and its rows; null where the model is not known */
  readonly place: {readonly tensor: string; readonly from: number; readonly to: number} | null
}

/** The model that an adapter belongs to, as far as it is there. */
export interface KnownModel {
  readonly config: MambaConfig
  /** Its weights; null where only sizes are wanted */
  readonly files: ModelFiles | null
}

export interface UpdateParts {
  readonly parts: readonly UpdatePart[]
  /** Entries of the adapter whose updates are not among the parts, and why */
  readonly unknown: readonly {readonly entry: number; readonly reason: string}[]
}

/** Errors: MismatchError for tensors that are not those of the settings, FileError for damaged weights. */
export async function updateParts(saved: SavedAdapter, model: KnownModel | null): Promise<UpdateParts> {
  const {dense, merged, unknown} = await denseParts(saved, model)
  const found = new Map<string, FactorPart>()
  const sites = model ? adaptableSites(model.config) : []
  for (const update of loraUpdates(saved).filter(({settings}) => hasFactors(settings))) {
    const site = sites.find(({name}) => name === update.site)
    if (model && site && merged.has(tensorOf(site, model.config))) continue
    for (const part of partsOf(update, site, sites, model)) {
      const before = found.get(part.name)
      const terms = [...(before?.update.terms ?? []), ...part.update.terms]
      found.set(part.name, {...part, rank: (before?.rank ?? 0) + update.settings.rank, update: {terms}})
    }
  }
  return {parts: [...found.values(), ...dense], unknown}
}

type FactorPart = UpdatePart & {readonly update: {readonly terms: readonly LowRank[]}}

function partsOf(
  update: LoraUpdate,
  site: AdaptableSite | undefined,
  sites: readonly AdaptableSite[],
  model: KnownModel | null,
): FactorPart[] {
  const {down, settings, site: name, up} = update
  const own = {columns: down.shape[1], down: down.values, rank: settings.rank, scale: loraScale(settings)}
  const whole: LowRank = {...own, rows: up.shape[0], up: up.values}
  if (!model || !site) return [{name, place: null, rank: settings.rank, update: {terms: [whole]}}]
  return slicesOf(site, sites).map(({from, name: slice, to}) => ({
    name: slice,
    place: {from, tensor: storedTensor(tensorOf(site, model.config), model.config), to},
    rank: settings.rank,
    update: {
      terms: [
        {
          ...own,
          rows: to - from,
          up: up.values.subarray((from - site.from) * settings.rank, (to - site.from) * settings.rank),
        },
      ],
    },
  }))
}

/** The slices that make up a whole module; a slice, and a module without any, is its own. */
function slicesOf(site: AdaptableSite, sites: readonly AdaptableSite[]): readonly AdaptableSite[] {
  if (site.slice !== null || site.kind !== 'linear') return [site]
  const slices = sites.filter(({module, slice}) => module === site.module && slice !== null)
  return slices.length > 0 ? slices : [site]
}

/** Either use of a tied embedding starts from the one tensor. */
function storedTensor(name: string, {tied}: MambaConfig): string {
  return name === INPUT_ALONE || (name === HEAD && tied) ? EMBEDDINGS : name
}

/** DoRA has factors, and lengths of rows beside them, which only the weights of the base tell what they change. */
function hasFactors(settings: AdapterSettings): boolean {
  return settings.method === 'lora' && !settings.dora
}

interface DenseParts {
  readonly dense: readonly UpdatePart[]
  /** What they are merged into, with all low-rank updates of the same */
  readonly merged: ReadonlySet<string>
  readonly unknown: UpdateParts['unknown']
}

/** Updates of methods that have no factors: the difference that merging makes, with all that reach the same tensor. */
async function denseParts(saved: SavedAdapter, model: KnownModel | null): Promise<DenseParts> {
  const others = [...saved.settings.keys()].filter((index) => !hasFactors(saved.settings[index]))
  if (others.length === 0) return {dense: [], merged: new Set(), unknown: []}
  const {growingEntries, mergeSteps, selectEntries, splitByMerge} = await import('./merge.js')
  const {mergeable} = splitByMerge(saved)
  const growing = growingEntries(saved)
  const reason = (entry: number): string => {
    if (growing.includes(entry)) return 'makes tensors larger, which is no difference of weights'
    if (!mergeable.includes(entry)) return 'adds nothing to weights'
    return 'is told from the weights of the base: name it with --model'
  }
  const files = model?.files
  if (!model || !files) {
    return {dense: [], merged: new Set(), unknown: others.map((entry) => ({entry, reason: reason(entry)}))}
  }
  const wanted = mergeSteps(selectEntries(saved, others), model.config)
  const all = mergeSteps(saved, model.config)
  const dense: UpdatePart[] = []
  for (const name of wanted.keys()) {
    const step = all.get(name)
    if (step) dense.push(...(await differenceOf(name, step, {config: model.config, files})))
  }
  const unmerged = others.filter((entry) => !mergeable.includes(entry) || growing.includes(entry))
  return {dense, merged: new Set(wanted.keys()), unknown: unmerged.map((entry) => ({entry, reason: reason(entry)}))}
}

async function differenceOf(
  name: string,
  step: MergeStep,
  {config, files}: {readonly config: MambaConfig; readonly files: ModelFiles},
): Promise<UpdatePart[]> {
  const tensor = storedTensor(name, config)
  const entry = files.tensors.get(tensor)
  if (!entry) return []
  const before = await readTensorFloat32(entry)
  const after = before.slice()
  step(after, before)
  const change = Float64Array.from(after, (value, index) => value - before[index])
  const bare = name.replace(/^backbone\./, '')
  const module = bare.replace(/\.weight$/, '')
  const sites = adaptableSites(config)
  const site = sites.find((candidate) => candidate.name === module && candidate.kind === 'linear')
  const [rows] = parameterShapes(config).get(tensor) ?? [1]
  const parts = site ? slicesOf(site, sites) : [{from: 0, name: bare, to: rows}]
  return parts.map(({from, name: part, to}) => ({
    name: part,
    place: {from, tensor, to},
    rank: null,
    update: {whole: change.subarray((from * change.length) / rows, (to * change.length) / rows)},
  }))
}

/** ‖W‖ of the rows of a part; null where the weights are not there. */
export async function weightNorm({place}: UpdatePart, model: KnownModel | null): Promise<number | null> {
  const entry = place && model?.files?.tensors.get(place.tensor)
  if (!entry) return null
  const values = await readTensorFloat32(entry)
  const width = values.length / entry.shape[0]
  let sum = 0
  for (let i = place.from * width; i < place.to * width; i++) sum += values[i] * values[i]
  return Math.sqrt(sum)
}

export function knownModel(files: ModelFiles): KnownModel {
  return {config: configOf(files), files}
}

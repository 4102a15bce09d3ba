/**
 * VeRA → Hugging Face PEFT's files: ΔW = diag(λ_b) B diag(λ_d) A, as in vera.ts. PEFT shares A (r, most inputs) and
 * B (most rows, r) between modules as we do, each taking the first columns and rows; with `save_projection` it reads them
 * from the file instead of its own random stream. A file holds one such entry, and no LoRA beside it.
 */
import {type Fault, MismatchError} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {type LeftOut, partName} from './export-format.js'
import {type ParameterValues} from './method.js'
import {moduleNames} from './peft-modules.js'
import {type SavedAdapter} from './saved-adapter.js'
import {type AdaptableSite, adaptableSites} from './sites-of.js'
import {resolveTargets} from './targets.js'
import {sharedMatrix, sharedShapes} from './vera-matrices.js'
import {type VeraSettings} from './vera-settings.js'

/** An entry that PEFT's file can hold, or a part of it. */
export interface VeraEntry {
  readonly index: number
  readonly settings: VeraSettings
  /** 'layers.3.mixer.in_proj': those that PEFT can hold */
  readonly modules: readonly string[]
}

const SCALES = /^adapters\.(\d+)\.(.+)\.vera_lambda_b$/
const WHOLE = /^layers\.\d+\.mixer\.(?:in_proj|x_proj|out_proj)$/

/** The first entry with a module that PEFT can hold; null: there is none. */
export function firstVera({settings: entries, values}: SavedAdapter): VeraEntry | null {
  for (const [index, settings] of entries.entries()) {
    if (settings.method !== 'vera') continue
    const modules = sitesOf(values, index).filter((site) => WHOLE.test(site))
    if (modules.length > 0) return {index, modules, settings}
  }
  return null
}

function sitesOf(values: SavedAdapter['values'], index: number): string[] {
  return [...values.keys()].flatMap((name) => {
    const [, entry, site] = SCALES.exec(name) ?? []
    return Number(entry) === index ? [site] : []
  })
}

/** What of an entry of VeRA is not in PEFT's file, which holds the entry `held`, by projection. */
export function veraLeftOut(saved: SavedAdapter, index: number, held: VeraEntry | null): readonly LeftOut[] {
  const part = partName(saved, index)
  const sites = sitesOf(saved.values, index)
  if (held?.index !== index && sites.some((site) => WHOLE.test(site))) {
    return [{part, reason: 'PEFT holds one VeRA in a file of its own, apart from LoRA and from other VeRA'}]
  }
  const left = sites.filter((site) => !WHOLE.test(site))
  const projections = new Set(left.map((site) => site.replace(/^layers\.\d+\.mixer\./, '')))
  return [...projections].sort().map((projection) => ({part: `${part}: ${projection}`, reason: reasonFor(projection)}))
}

function reasonFor(projection: string): string {
  if (projection === 'dt_proj') {
    return 'PEFT loads VeRA on dt_proj of Mamba, but it never acts: the model reads the weight past the adapter'
  }
  return projection.includes('.')
    ? 'PEFT’s VeRA is of whole modules: its B has other rows for a slice'
    : 'PEFT has VeRA on linear layers alone'
}

/** Both files. Errors: MismatchError for another model. */
export function veraToPeft(
  saved: SavedAdapter,
  {index, modules, settings}: VeraEntry,
  model: MambaConfig,
): {readonly config: Record<string, unknown>; readonly tensors: ReadonlyMap<string, ParameterValues>} {
  const all = new Map(adaptableSites(model).map((site) => [site.name, site]))
  const held = modules.flatMap((module) => all.get(module) ?? [])
  const scales = scalesOf(saved, {index, modules, settings}, all)
  const own = sharedShapes(settings.rank, resolveTargets(settings.targets, model))
  const {a, b} = sharedShapes(settings.rank, held)
  const sharedA = firstColumns(sharedMatrix(settings, 'A', own.a), own.a, a[1])
  const sharedB = sharedMatrix(settings, 'B', own.b).slice(0, b[0] * b[1])
  const adapted = modules.map((module) => ({module, projection: projectionOf(module)}))
  const everywhere = new Set(
    adapted
      .map(({projection}) => projection)
      .filter((name) => adapted.filter(({projection}) => projection === name).length === model.layers),
  )
  return {
    config: {
      d_initial: settings.first_scale,
      init_weights: true,
      peft_type: 'VERA',
      projection_prng_key: settings.seed,
      r: settings.rank,
      save_projection: true,
      target_modules: moduleNames(adapted, everywhere),
      vera_dropout: settings.dropout,
    },
    tensors: new Map<string, ParameterValues>([
      ...scales,
      ['base_model.vera_A', {shape: a, values: sharedA}], // (r, most inputs)
      ['base_model.vera_B', {shape: b, values: sharedB}], // (most rows, r)
    ]),
  }
}

function scalesOf(
  {values}: SavedAdapter,
  {index, modules, settings}: VeraEntry,
  sites: ReadonlyMap<string, AdaptableSite>,
): [string, ParameterValues][] {
  const faults: Fault[] = []
  const scales = modules.flatMap((module) => {
    const site = sites.get(module)
    const lengths = {b: site && site.to - site.from, d: settings.rank}
    return (['b', 'd'] as const).flatMap((kind): [string, ParameterValues][] => {
      const where = `adapters.${index}.${module}.vera_lambda_${kind}`
      const tensor = values.get(where)
      if (tensor?.shape.join() === String(lengths[kind])) {
        return [[`base_model.model.backbone.${module}.vera_lambda_${kind}`, tensor]]
      }
      const shape = tensor ? `has shape [${tensor.shape.join(', ')}]` : 'is missing'
      const wanted = lengths[kind] === undefined ? 'but the model has no such module' : `expected [${lengths[kind]}]`
      faults.push({message: `${shape}, ${wanted}`, where})
      return []
    })
  })
  if (faults.length === 0) return scales
  throw new MismatchError('The adapter does not fit the model.', {
    faults,
    hint: 'Name the model that it was trained on with --base MODEL.',
  })
}

function firstColumns(matrix: Float32Array, [rows, columns]: readonly [number, number], kept: number): Float32Array {
  return Float32Array.from({length: rows * kept}, (_, at) => matrix[Math.trunc(at / kept) * columns + (at % kept)])
}

const projectionOf = (module: string): string => module.split('.').at(-1) as string

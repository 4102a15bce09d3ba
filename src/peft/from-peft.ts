/**
 * Hugging Face PEFT's LoRA files → our settings and names. Which modules are adapted is read from the tensors, not from
 * `target_modules`, which may be a pattern. Modules of one rank and scale become one entry; tensors that are carried whole
 * (modules_to_save, biases) come first. What this version cannot carry out is refused, never dropped.
 *
 * On the embedding PEFT's A is (r, V) and B (d, r): ours are the other way round and transposed, so that ΔW = s B A is
 * (V, d) as the table is. PEFT's update acts on the input alone, in tied models too.
 */
import {type Fault, FileError} from '../errors.js'
import {type AdapterSettings} from './method-settings.js'
import {type ParameterValues} from './method.js'
import {type ByModule, isListOfTexts, type PeftConfig, ranksAndAlphas, unsupportedIn} from './peft-config.js'
import {peftTensor} from './peft-keys.js'

interface PeftFiles {
  readonly config: PeftConfig
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

export interface ImportedAdapter {
  readonly settings: readonly AdapterSettings[]
  readonly values: ReadonlyMap<string, ParameterValues>
  /** Tensors of the base that the file repeats, by their checkpoint names */
  readonly copies: ReadonlyMap<string, ParameterValues>
  readonly base: {readonly path: string; readonly fingerprint: null}
}

/** The base of an adapter whose file names none. */
export const UNNAMED_BASE = 'an unnamed model'

/** The site of PEFT's LoRA on the embedding. */
const EMBEDDING = 'embeddings.input'

/** Errors: FileError with everything that cannot be carried over. */
export function fromPeft({config, tensors}: PeftFiles, path: string): ImportedAdapter {
  const faults = unsupportedIn(config, path)
  const {copies, full, updates} = sorted(config, tensors, faults)
  if (updates.size === 0 && full.size === 0) faults.push({message: 'holds no LoRA tensor', where: path})
  const sites = [...updates.keys()]
  const names = sites.map((site) =>
    site === 'lm_head' ? site : `backbone.${site === EMBEDDING ? 'embeddings' : site}`,
  )
  const known = ranksAndAlphas(config, names, path, faults)
  if (faults.length === 0) checkRanks(updates, known, faults)
  if (faults.length > 0) throw new FileError('The PEFT adapter cannot be read.', {faults})

  const first: AdapterSettings[] = full.size > 0 ? [{method: 'full-values', tensors: [...full.keys()]}] : []
  const values = new Map([...full].map(([name, tensor]) => [`adapters.0.${name}`, tensor]))
  const groups = grouped(sites, known, config)
  const entries = groups.map((group, index): AdapterSettings => {
    for (const site of group.sites) {
      for (const [matrix, tensor] of Object.entries(updates.get(site) ?? {})) {
        values.set(`adapters.${first.length + index}.${site}.lora_${matrix}`, tensor)
      }
    }
    const {alpha, dropout, rank} = group
    return {
      alpha,
      dropout,
      method: 'lora',
      rank,
      rslora: config.use_rslora === true,
      targets: targetsOf(group, groups, config),
    }
  })
  const base = typeof config.base_model_name_or_path === 'string' ? config.base_model_name_or_path : UNNAMED_BASE
  return {base: {fingerprint: null, path: base}, copies, settings: [...first, ...entries], values}
}

type Update = Partial<Record<'A' | 'B', ParameterValues>>

interface Sorted {
  /** By site */
  readonly updates: ReadonlyMap<string, Update>
  /** By name in the checkpoint */
  readonly full: ReadonlyMap<string, ParameterValues>
  readonly copies: ReadonlyMap<string, ParameterValues>
}

function sorted(config: PeftConfig, tensors: PeftFiles['tensors'], faults: Fault[]): Sorted {
  const modulesToSave = isListOfTexts(config.modules_to_save) ? config.modules_to_save : []
  const carried = {biases: (config.bias ?? 'none') !== 'none', modulesToSave}
  const updates = new Map<string, Update>()
  const full = new Map<string, ParameterValues>()
  const copies = new Map<string, ParameterValues>()
  for (const [where, tensor] of tensors) {
    const meaning = peftTensor(where, carried)
    if (meaning.kind === 'unknown') faults.push({message: meaning.reason, where})
    else if (meaning.kind === 'full') full.set(meaning.tensor, tensor)
    else if (meaning.kind === 'copy') copies.set(meaning.tensor, tensor)
    else if (tensor.shape.length !== 2) {
      faults.push({message: `has shape [${tensor.shape.join(', ')}], expected a matrix`, where})
    } else if (meaning.kind === 'lora') {
      updates.set(meaning.module, {...updates.get(meaning.module), [meaning.matrix]: tensor})
    } else {
      const other = meaning.matrix === 'A' ? 'B' : 'A'
      updates.set(EMBEDDING, {...updates.get(EMBEDDING), [other]: transposed(tensor)})
    }
  }
  return {copies, full, updates}
}

export function transposed({shape: [rows, columns], values}: ParameterValues): ParameterValues {
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]
  }
  return {shape: [columns, rows], values: result}
}

/** PEFT does not load a file whose tensors have another rank than its settings say; its scale would be unknown. */
function checkRanks(updates: Sorted['updates'], known: readonly ByModule[], faults: Fault[]): void {
  for (const [index, [where, {A, B}]] of [...updates].entries()) {
    const {rank} = known[index]
    if (!A || !B) faults.push({message: 'has one of its two matrices only', where})
    else if (A.shape[0] !== rank || B.shape[1] !== rank) {
      faults.push({
        message: `has rank ${A.shape[0]} and ${B.shape[1]} in its matrices, and ${rank} in the settings`,
        where,
      })
    }
  }
}

interface Group extends ByModule {
  readonly dropout: number
  readonly sites: readonly string[]
}

/** Sites of one rank, alpha and dropout together, in the order of the file. The embedding has no dropout in PEFT either. */
function grouped(sites: readonly string[], known: readonly ByModule[], config: PeftConfig): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const [index, site] of sites.entries()) {
    const dropout = typeof config.lora_dropout === 'number' && site !== EMBEDDING ? config.lora_dropout : 0
    const {alpha, rank} = known[index]
    const key = [alpha, dropout, rank].join()
    groups.set(key, {alpha, dropout, rank, sites: [...(groups.get(key)?.sites ?? []), site]})
  }
  return [...groups.values()]
}

const projectionOf = (site: string): string => site.replace(/^layers\.\d+\.mixer\./, '')

/** A projection by its bare name where PEFT adapted it in all layers, however many there are, and all are in this group. */
function targetsOf(group: Group, groups: readonly Group[], config: PeftConfig): string[] {
  const elsewhere = new Set(groups.flatMap((other) => (other === group ? [] : other.sites.map(projectionOf))))
  const names = group.sites.map((site) => {
    const projection = projectionOf(site)
    return namesEveryLayer(config) && !elsewhere.has(projection) ? projection : site
  })
  return [...new Set(names)].sort()
}

function namesEveryLayer({exclude_modules, layers_to_transform, target_modules}: PeftConfig): boolean {
  if (exclude_modules ?? layers_to_transform) return false
  return isListOfTexts(target_modules) && target_modules.every((name) => !name.includes('.'))
}

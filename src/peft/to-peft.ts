/**
 * Our adapters → Hugging Face PEFT's LoRA files, as far as PEFT can hold them. One LoRA on whole modules is written as it
 * is. Anything else becomes one LoRA of uniform rank R: the updates of a module are stacked along the rank, each in its own
 * rows of B with its scale multiplied in, and filled up with zeros:
 *
 *   Σ s_i B_i A_i = (R / R) [s_1 B_1 … s_n B_n 0] [A_1; …; A_n; 0]
 */
import {isCommit, parseHubName} from '../checkpoint/hub/hub-name.js'
import {type MambaConfig} from '../model/config.js'
import {UNNAMED_BASE} from './from-peft.js'
import {loraScale} from './lora-settings.js'
import {type LoraUpdate} from './lora-updates.js'
import {type ParameterValues} from './method.js'
import {adaptedModules, wholeInPeft} from './peft-full-values.js'
import {heldByPeft, veraHeldByPeft} from './peft-limits.js'
import {moduleNames} from './peft-modules.js'
import {byPeftModule, inPeftFile, magnitudesInPeftFile} from './peft-tables.js'
import {type SavedAdapter} from './saved-adapter.js'
import {adaptableSites} from './sites-of.js'
import {checkUpdatesFit, type SitesByName, stackUpdates} from './stacked-updates.js'
import {veraToPeft} from './vera-to-peft.js'

export interface PeftFiles {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

/** What PEFT can hold of an adapter. Only slices and VeRA need the sizes of the model. Errors: MismatchError for another model. */
export function toPeft(saved: SavedAdapter, model: MambaConfig | null): PeftFiles {
  const held = heldByPeft(saved)
  const base = saved.base.path === UNNAMED_BASE ? null : saved.base.path
  const vera = veraHeldByPeft(saved)
  if (vera) {
    if (!model) throw new Error('VeRA needs the sizes of the model')
    const {config, tensors} = veraToPeft(saved, vera, model)
    return {config: sorted({...common(base), ...config}), tensors}
  }
  const sites = model && new Map(adaptableSites(model).map((site) => [site.name, site]))
  if (sites) checkUpdatesFit(held, sites)
  const updates = byPeftModule(held, model)
  const whole = wholeInPeft(saved, updates)
  const entries = new Set(updates.map(({entry}) => entry))
  const modules = adaptedModules(updates)
  const {settings, tensors} =
    entries.size === 1 && modules.size === updates.length && updates.every(({slice}) => slice === null)
      ? asTheyAre(updates)
      : stacked(updates, sites)
  const carried = {bias: whole.bias, modules_to_save: whole.modulesToSave}
  return {
    config: sorted({
      ...common(base),
      ...LORA_DEFAULTS,
      ...settings,
      ...carried,
      target_modules: targetModules(updates),
    }),
    tensors: new Map([...tensors, ...whole.tensors]),
  }
}

/** In the order in which PEFT writes them. */
function sorted(config: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The keys that every configuration has. PEFT names the commit of a model on the hub apart. */
function common(base: string | null): Record<string, unknown> {
  return {
    auto_mapping: null,
    base_model_name_or_path: base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    layers_pattern: null,
    layers_to_transform: null,
    modules_to_save: null,
    revision: null,
    task_type: 'CAUSAL_LM',
    ...onHub(base),
  }
}

/** The further keys of a LoRA configuration that all versions of PEFT know. */
const LORA_DEFAULTS = {
  alpha_pattern: {},
  init_lora_weights: true,
  loftq_config: {},
  megatron_config: null,
  megatron_core: 'megatron.core',
  peft_type: 'LORA',
  rank_pattern: {},
}

function onHub(base: string | null): Record<string, unknown> {
  const name = base === null ? null : parseHubName(base)
  if (!name || !isCommit(name.revision)) return {}
  return {base_model_name_or_path: name.repository, revision: name.revision}
}

interface Converted {
  readonly settings: {
    readonly r: number
    readonly lora_alpha: number
    readonly lora_dropout: number
    readonly use_dora: boolean
    readonly use_rslora: boolean
  }
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

function asTheyAre(updates: readonly LoraUpdate[]): Converted {
  const {alpha, dora = false, dropout, rank, rslora} = updates[0].settings
  const tensors = updates.flatMap(({down, magnitudes, module, up}): [string, ParameterValues][] => [
    inPeftFile(module, 'A', down),
    inPeftFile(module, 'B', up),
    ...(magnitudes ? [magnitudesInPeftFile(module, magnitudes)] : []),
  ])
  return {
    settings: {lora_alpha: alpha, lora_dropout: dropout, r: rank, use_dora: dora, use_rslora: rslora},
    tensors: new Map(tensors),
  }
}

function stacked(updates: readonly LoraUpdate[], sites: SitesByName | null): Converted {
  const modules = new Map<string, LoraUpdate[]>()
  for (const update of updates) modules.set(update.module, [...(modules.get(update.module) ?? []), update])
  const rank = Math.max(
    ...[...modules.values()].map((group) => group.reduce((sum, {settings}) => sum + settings.rank, 0)),
  )
  const tensors = new Map<string, ParameterValues>()
  for (const [module, group] of modules) {
    const {down, up} = stackUpdates(group, {factorOf: ({settings}) => loraScale(settings), rank, sites})
    tensors.set(...inPeftFile(module, 'A', down))
    tensors.set(...inPeftFile(module, 'B', up))
  }
  const dropping = updates.filter(({projection}) => projection !== 'embeddings')
  const dropouts = [...new Set(dropping.map(({settings}) => settings.dropout))]
  // Dropout acts only if the adapter is trained on; one file has one share of it.
  const dropout = dropouts.length === 1 ? dropouts[0] : 0
  return {settings: {lora_alpha: rank, lora_dropout: dropout, r: rank, use_dora: false, use_rslora: false}, tensors}
}

/** A projection by its bare name where all layers have it, since an entry names it so; else module by module. */
function targetModules(updates: readonly LoraUpdate[]): string[] {
  const inAllLayers = ({projection, settings}: LoraUpdate): boolean =>
    settings.targets.some((target) => target === projection || target.startsWith(`${projection}.`))
  return moduleNames(updates, new Set(updates.filter(inAllLayers).map(({projection}) => projection)))
}

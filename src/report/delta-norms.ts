/**
 * How far an adapter has moved each part of the model, layer by layer and slice by slice. Of updates ΔW = Σ_k s_k B_k A_k the
 * Frobenius norm follows from products of the size of the ranks, and ΔW itself is never made:
 *
 *   ‖ΔW‖² = Σ_k Σ_l s_k s_l Σ (B_kᵀ B_l) ∘ (A_k A_lᵀ)
 *
 * Of learned first states it is the norm of the state. `rms` is the norm over √(numbers), which can be compared between
 * slices of different sizes.
 */
import {type MambaConfig} from '../model/config.js'
import {loraScale} from '../peft/lora-settings.js'
import {loraUpdates, type LoraUpdate} from '../peft/lora-updates.js'
import {type ParameterValues} from '../peft/method.js'
import {type SavedAdapter} from '../peft/saved-adapter.js'
import {adaptableSites} from '../peft/sites-of.js'
import {stateProduct} from '../peft/state-product.js'

export interface DeltaNorm {
  readonly kind: 'state' | 'weight'
  readonly layer: number
  /** 'in_proj.x'; 'scan' and 'conv' for states */
  readonly slice: string
  readonly norm: number
  readonly rms: number
}

/** Without a config, parts are those that the adapter itself names. */
export function deltaNorms(saved: SavedAdapter, config: MambaConfig | null): DeltaNorm[] {
  return [...weightNorms(loraUpdates(saved), config), ...stateNorms(saved)]
}

/** Rows of an update that lie in a slice. */
interface Rows {
  readonly update: LoraUpdate
  readonly from: number
  readonly to: number
}

function weightNorms(updates: readonly LoraUpdate[], config: MambaConfig | null): DeltaNorm[] {
  const parts = new Map<string, {layer: number; slice: string; rows: Rows[]}>()
  const add = (update: LoraUpdate, slice: string, from: number, to: number): void => {
    const layer = Number(/^layers\.(\d+)/.exec(update.module)?.[1])
    const key = `${layer} ${slice}`
    const part = parts.get(key) ?? {layer, rows: [], slice}
    part.rows.push({from, to, update})
    parts.set(key, part)
  }
  for (const update of updates) {
    const {module, projection, slice, up} = update
    const within = slice === null && config ? slicesOf(config, module) : []
    if (within.length === 0) add(update, slice === null ? projection : `${projection}.${slice}`, 0, up.shape[0])
    for (const part of within) add(update, `${projection}.${part.slice}`, part.from, part.to)
  }
  return [...parts.values()].map(({layer, rows, slice}) => {
    const [{from, to, update}] = rows
    const norm = Math.sqrt(Math.max(0, squaredNorm(rows)))
    return {kind: 'weight', layer, norm, rms: norm / Math.sqrt((to - from) * update.down.shape[1]), slice}
  })
}

function slicesOf(config: MambaConfig, module: string): {slice: string | null; from: number; to: number}[] {
  return adaptableSites(config).filter((site) => site.module === module && site.slice !== null)
}

function squaredNorm(rows: readonly Rows[]): number {
  let sum = 0
  for (const a of rows) {
    for (const b of rows) sum += loraScale(a.update.settings) * loraScale(b.update.settings) * innerProduct(a, b)
  }
  return sum
}

/** Σ (B_kᵀ B_l) ∘ (A_k A_lᵀ) */
function innerProduct(a: Rows, b: Rows): number {
  const [ranks, others] = [a.update.settings.rank, b.update.settings.rank]
  const inputs = a.update.down.shape[1]
  let sum = 0
  for (let i = 0; i < ranks; i++) {
    for (let j = 0; j < others; j++) {
      let ups = 0
      for (let row = 0; row < a.to - a.from; row++) {
        ups += a.update.up.values[(a.from + row) * ranks + i] * b.update.up.values[(b.from + row) * others + j]
      }
      let downs = 0
      for (let x = 0; x < inputs; x++) {
        downs += a.update.down.values[i * inputs + x] * b.update.down.values[j * inputs + x]
      }
      sum += ups * downs
    }
  }
  return sum
}

const STATE = /\.layers\.(\d+)\.mixer\.initial_state\.(scan|conv)(?:\.U)?$/

function stateNorms({values}: SavedAdapter): DeltaNorm[] {
  return [...values].flatMap(([name, tensor]): DeltaNorm[] => {
    const [, layer, slice] = STATE.exec(name) ?? []
    if (slice === undefined) return []
    const {values: numbers} = wholeState(name, tensor, values)
    const norm = Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0))
    return [{kind: 'state', layer: Number(layer), norm, rms: norm / Math.sqrt(numbers.length), slice}]
  })
}

/** U Vᵀ where the state has a rank. */
function wholeState(name: string, tensor: ParameterValues, values: SavedAdapter['values']): ParameterValues {
  const v = name.endsWith('.U') ? values.get(`${name.slice(0, -1)}V`) : undefined
  return v ? stateProduct(tensor, v) : tensor
}

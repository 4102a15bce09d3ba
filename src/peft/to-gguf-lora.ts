/**
 * Our low-rank updates → tensors of a LoRA file of llama.cpp, which computes  y = W x + (α / R) b (a x)  with one α for the
 * file and R the rank of each pair. The updates of a module are stacked along the rank, each in its own rows of b:
 *
 *   Σ s_i B_i A_i = (α / R) [f_1 B_1 … f_n B_n] [A_1; …; A_n],  f_i = s_i R / α,  R = Σ r_i
 *
 * α is s r of the first update, so that of a single LoRA, rsLoRA included, A and B are written as they are.
 * https://github.com/ggml-org/llama.cpp/blob/master/src/llama-adapter.h
 */
import {MismatchError, type Fault} from '../errors.js'
import {type MambaConfig} from '../model/config.js'
import {ggufModule} from '../model/gguf-names.js'
import {loraScale} from './lora-settings.js'
import {type LoraUpdate} from './lora-updates.js'
import {type ParameterValues} from './method.js'
import {type AdaptableSite, adaptableSites} from './sites-of.js'

export interface GgufLora {
  readonly alpha: number
  /** 'blk.0.ssm_in.weight.lora_a' (R, inputs) and '….lora_b' (rows of the module, R) */
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

/** Of at least one update. Errors: MismatchError for another model. */
export function toGgufLora(updates: readonly LoraUpdate[], model: MambaConfig): GgufLora {
  const sites = new Map(adaptableSites(model).map((site) => [site.name, site]))
  checkFit(updates, sites)
  const [{settings: first}] = updates
  const alpha = loraScale(first) * first.rank
  const tensors = new Map<string, ParameterValues>()
  for (const module of new Set(updates.map(({module}) => module))) {
    const own = updates.filter((update) => update.module === module)
    const {down, up} = stack(own, sites, alpha)
    tensors.set(`${ggufModule(module)}.lora_a`, down)
    tensors.set(`${ggufModule(module)}.lora_b`, up)
  }
  return {alpha, tensors}
}

function stack(
  updates: readonly LoraUpdate[],
  sites: ReadonlyMap<string, AdaptableSite>,
  alpha: number,
): {readonly down: ParameterValues; readonly up: ParameterValues} {
  const rank = updates.reduce((sum, {settings}) => sum + settings.rank, 0)
  const inputs = updates[0].down.shape[1]
  const rows = sites.get(updates[0].module)?.to ?? 0
  const down = new Float32Array(rank * inputs) // (R, in)
  const up = new Float32Array(rows * rank) // (out, R)
  let first = 0
  for (const update of updates) {
    const {rank: own} = update.settings
    const factor = (loraScale(update.settings) * rank) / alpha
    const from = sites.get(update.site)?.from ?? 0
    down.set(update.down.values, first * inputs)
    for (const [at, value] of update.up.values.entries()) {
      up[(from + Math.trunc(at / own)) * rank + first + (at % own)] = factor * value
    }
    first += own
  }
  return {down: {shape: [rank, inputs], values: down}, up: {shape: [rows, rank], values: up}}
}

function checkFit(updates: readonly LoraUpdate[], sites: ReadonlyMap<string, AdaptableSite>): void {
  const faults = updates.flatMap(({down, entry, site: name, up}): Fault[] => {
    const site = sites.get(name)
    const where = `adapters.${entry}.${name}`
    if (!site) return [{message: 'is not a site of this model', where}]
    const [rows, inputs] = [site.to - site.from, site.inputs]
    if (up.shape[0] === rows && down.shape[1] === inputs) return []
    return [{message: `is for ${up.shape[0]} rows × ${down.shape[1]}, and this model has ${rows} × ${inputs}`, where}]
  })
  if (faults.length === 0) return
  throw new MismatchError('The adapter does not fit this model.', {
    faults,
    hint: 'Use the base model that the adapter was trained on: mambatune inspect ADAPTER names it.',
  })
}

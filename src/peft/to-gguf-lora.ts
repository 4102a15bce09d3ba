/**
 * Our low-rank updates → tensors of a LoRA file of llama.cpp, which computes  y = W x + (α / R) b (a x)  with one α for the
 * file and R the rank of each pair. The updates of a module are stacked along the rank, each in its own rows of b:
 *
 *   Σ s_i B_i A_i = (α / R) [f_1 B_1 … f_n B_n] [A_1; …; A_n],  f_i = s_i R / α,  R = Σ r_i
 *
 * α is s r of the first update, so that of a single LoRA, rsLoRA included, A and B are written as they are.
 * https://github.com/ggml-org/llama.cpp/blob/master/src/llama-adapter.h
 */
import {type MambaConfig} from '../model/config.js'
import {ggufModule} from '../model/gguf-names.js'
import {loraScale} from './lora-settings.js'
import {type LoraUpdate} from './lora-updates.js'
import {type ParameterValues} from './method.js'
import {adaptableSites} from './sites-of.js'
import {checkUpdatesFit, stackUpdates} from './stacked-updates.js'

export interface GgufLora {
  readonly alpha: number
  /** 'blk.0.ssm_in.weight.lora_a' (R, inputs) and '….lora_b' (rows of the module, R) */
  readonly tensors: ReadonlyMap<string, ParameterValues>
}

/** Of at least one update. Errors: MismatchError for another model. */
export function toGgufLora(updates: readonly LoraUpdate[], model: MambaConfig): GgufLora {
  const sites = new Map(adaptableSites(model).map((site) => [site.name, site]))
  checkUpdatesFit(updates, sites)
  const [{settings: first}] = updates
  const alpha = loraScale(first) * first.rank
  const tensors = new Map<string, ParameterValues>()
  for (const module of new Set(updates.map(({module}) => module))) {
    const own = updates.filter((update) => update.module === module)
    const rank = own.reduce((sum, {settings}) => sum + settings.rank, 0)
    const factorOf = ({settings}: LoraUpdate): number => (loraScale(settings) * rank) / alpha
    const {down, up} = stackUpdates(own, {factorOf, rank, sites})
    tensors.set(`${ggufModule(module)}.lora_a`, down)
    tensors.set(`${ggufModule(module)}.lora_b`, up)
  }
  return {alpha, tensors}
}

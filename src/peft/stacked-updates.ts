/**
 * Several low-rank updates of one module as one: stacked along the rank, each in its own rows of B with a factor
 * multiplied in, and filled up with zeros to the rank that is asked for:
 *
 *   Σ f_i B_i A_i = [f_1 B_1 … f_n B_n 0] [A_1; …; A_n; 0]
 *
 * Formats of other programs that know one LoRA for each module hold them so.
 */
import {type Fault, MismatchError} from '../errors.js'
import {type LoraUpdate} from './lora-updates.js'
import {type ParameterValues} from './method.js'
import {type AdaptableSite} from './sites-of.js'

export type SitesByName = ReadonlyMap<string, AdaptableSite>

export interface StackedUpdates {
  readonly down: ParameterValues // (R, in)
  readonly up: ParameterValues // (out, R)
}

/** Of one module, at least one. Only slices need `sites`, which say where their rows lie. */
export function stackUpdates(
  updates: readonly LoraUpdate[],
  {factorOf, rank, sites}: {factorOf: (update: LoraUpdate) => number; rank: number; sites: SitesByName | null},
): StackedUpdates {
  const inputs = updates[0].down.shape[1]
  const outputs = sites?.get(updates[0].module)?.to ?? updates[0].up.shape[0]
  const down = new Float32Array(rank * inputs) // (R, in)
  const up = new Float32Array(outputs * rank) // (out, R)
  let first = 0
  for (const update of updates) {
    const {rank: own} = update.settings
    const factor = factorOf(update)
    const from = sites?.get(update.site)?.from ?? 0
    down.set(update.down.values, first * inputs)
    for (const [at, value] of update.up.values.entries()) {
      up[(from + Math.trunc(at / own)) * rank + first + (at % own)] = factor * value
    }
    first += own
  }
  return {down: {shape: [rank, inputs], values: down}, up: {shape: [outputs, rank], values: up}}
}

/** Errors: MismatchError with every update that has other sizes than this model's site. */
export function checkUpdatesFit(updates: readonly LoraUpdate[], sites: SitesByName): void {
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

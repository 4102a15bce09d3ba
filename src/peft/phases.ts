/** Phases of whole adapters: parameters that become others in the course of a run. What a phase is: method.ts. */
import {type MambaConfig} from '../model/config.js'
import {type AdapterSettings, methodOf} from './registry.js'

/** A recipe's settings, as far on as the adapters of a saved run are: what those have chosen is not chosen again. */
export function continuedFrom(
  settings: readonly AdapterSettings[],
  reached: readonly AdapterSettings[],
): readonly AdapterSettings[] {
  return settings.map((entry, index) => {
    const earlier = reached.at(index)
    return earlier?.method === entry.method ? (methodOf(entry).phases?.from(entry, earlier) ?? entry) : entry
  })
}

/** Steps after which parameters of the first entry to do so become others; null if none will. */
export function phaseEndOf(settings: readonly AdapterSettings[]): number | null {
  const ends = settings.flatMap((entry) => methodOf(entry).phases?.end(entry) ?? [])
  return ends.length === 0 ? null : Math.min(...ends)
}

/** The last phase of each entry, as far as it is known before training. */
export function lastPhases(settings: readonly AdapterSettings[], config: MambaConfig): readonly AdapterSettings[] {
  return settings.map((entry) => methodOf(entry).phases?.last(entry, config) ?? entry)
}

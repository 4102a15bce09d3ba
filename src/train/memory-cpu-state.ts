/** What methods on the state add to the memory of a layer on the processor, counted from their sites: numbers, not bytes. */
import {type MambaConfig} from '../model/config.js'
import {type StepShape} from './memory-shape.js'

/** The model with the states of additional scans, which run as its own do. */
export function statesAdded({adapters, config}: Pick<StepShape, 'adapters' | 'config'>): MambaConfig {
  const added = adapters.reduce((sum, entry) => sum + (entry.method === 'additional-scan' ? entry.states : 0), 0)
  return added === 0 ? config : {...config, states: config.states + added}
}

interface OffsetNumbers {
  readonly results: number
  readonly copies: number
  readonly gradients: number
}

/** Of state offsets, for each position */
export function offsetNumbers({adapters, config}: Pick<StepShape, 'adapters' | 'config'>): OffsetNumbers {
  const forms = adapters.flatMap((entry) => (entry.method === 'state-offset' ? [entry.form] : []))
  const {inner, states} = config
  const gated = config.architecture === 'mamba'
  const numbers = {copies: 0, gradients: 0, results: 0}
  for (const form of forms) {
    const read = form === 'h' ? inner : 0 // C h′
    numbers.results += read + (gated ? 3 * inner : 0) + inner // σ(z), z σ(z) and what it gates, and the sum with y
    numbers.copies += (form === 'h' ? states : 0) + (gated ? 5 * inner : 0) // what product, σ and both gates read
    numbers.gradients += read + (gated ? 4 * inner : 0) // of both gates, of σ and of z
  }
  return numbers
}

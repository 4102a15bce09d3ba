/**
 * How large learned first states are, layer by layer: the norm of the state, or of U Vᵀ where it has a rank. `rms` is the norm
 * over √(numbers).
 */
import {type ParameterValues} from '../peft/method.js'
import {type SavedAdapter} from '../peft/saved-adapter.js'
import {stateProduct} from '../peft/state-product.js'
import {type PartNorm} from './update-norms.js'

export type StateNorm = Pick<PartNorm, 'layer' | 'norm' | 'part' | 'rms'>

const STATE = /\.layers\.(\d+)\.mixer\.initial_state\.(scan|conv)(?:\.U)?$/

/** `part` is scan or conv. */
export function stateNorms({values}: SavedAdapter): StateNorm[] {
  return [...values].flatMap(([name, tensor]): StateNorm[] => {
    const [, layer, part] = STATE.exec(name) ?? []
    if (part === undefined) return []
    const {values: numbers} = wholeState(name, tensor, values)
    const norm = Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0))
    return [{layer: Number(layer), norm, part, rms: norm / Math.sqrt(numbers.length)}]
  })
}

/** U Vᵀ where the state has a rank. */
function wholeState(name: string, tensor: ParameterValues, values: SavedAdapter['values']): ParameterValues {
  const v = name.endsWith('.U') ? values.get(`${name.slice(0, -1)}V`) : undefined
  return v ? stateProduct(tensor, v) : tensor
}

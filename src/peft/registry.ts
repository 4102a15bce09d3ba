/** The methods that a recipe may name, one line each. */
import {additionalScan} from './additional-scan.js'
import {deltaScale} from './delta-scale.js'
import {fullValues} from './full-values.js'
import {initialState} from './initial-state.js'
import {lora} from './lora.js'
import {type AdapterSettings} from './method-settings.js'
import {type Method} from './method.js'
import {partial} from './partial.js'
import {prodial} from './prodial.js'
import {sparseDimension} from './sparse-dimension.js'
import {stateOffset} from './state-offset.js'
import {vera} from './vera.js'

export {type AdapterSettings, methodSchemas} from './method-settings.js'

const methods: {readonly [Name in AdapterSettings['method']]: Method<Extract<AdapterSettings, {method: Name}>>} = {
  'additional-scan': additionalScan,
  'delta-scale': deltaScale,
  'full-values': fullValues,
  'initial-state': initialState,
  lora,
  partial,
  prodial,
  'sparse-dimension': sparseDimension,
  'state-offset': stateOffset,
  vera,
}

/** The method of these settings; it takes no other settings than these. */
export function methodOf(settings: AdapterSettings): Method<AdapterSettings> {
  return methods[settings.method]
}

/** The methods that a recipe may name, one line each. */
import {additionalScan} from './additional-scan.js'
import {fullValues} from './full-values.js'
import {initialState} from './initial-state.js'
import {lora} from './lora.js'
import {type AdapterSettings} from './method-settings.js'
import {type Method} from './method.js'
import {stateOffset} from './state-offset.js'

export {type AdapterSettings, methodSchemas} from './method-settings.js'

const methods: {readonly [Name in AdapterSettings['method']]: Method<Extract<AdapterSettings, {method: Name}>>} = {
  'additional-scan': additionalScan,
  'full-values': fullValues,
  'initial-state': initialState,
  lora,
  'state-offset': stateOffset,
}

/** The method of these settings; it takes no other settings than these. */
export function methodOf(settings: AdapterSettings): Method<AdapterSettings> {
  return methods[settings.method]
}

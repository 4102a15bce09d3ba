/** The methods that a recipe may name, one line each. */
import {initialState} from './initial-state.js'
import {type InitialStateSettings, initialStateSettings} from './initial-state-settings.js'
import {lora} from './lora.js'
import {type LoraSettings, loraSettings} from './lora-settings.js'
import {type Method} from './method.js'

/** One entry of a recipe's `adapters`. */
export type AdapterSettings = InitialStateSettings | LoraSettings

/** Schemas of one entry of a recipe's `adapters`, told apart by `method`. */
export const methodSchemas = [loraSettings, initialStateSettings] as const

const methods: {readonly [Name in AdapterSettings['method']]: Method<Extract<AdapterSettings, {method: Name}>>} = {
  'initial-state': initialState,
  lora,
}

/** The method of these settings; it takes no other settings than these. */
export function methodOf(settings: AdapterSettings): Method<AdapterSettings> {
  return methods[settings.method]
}

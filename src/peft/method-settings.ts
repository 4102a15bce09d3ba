/**
 * What is known of the methods without a tensor library: their settings, and which of them have no exact merge. Recipes,
 * adapter files and `mambatune inspect` need no more. What a method computes is in the registry.
 */
import {type AdditionalScanSettings, additionalScanSettings} from './additional-scan-settings.js'
import {type FullValuesSettings} from './full-values-settings.js'
import {type InitialStateSettings, initialStateSettings, noMergeOfInitialState} from './initial-state-settings.js'
import {type LoraSettings, loraSettings} from './lora-settings.js'
import {type NoMerge} from './method.js'
import {noMergeOfStateOffset, type StateOffsetSettings, stateOffsetSettings} from './state-offset-settings.js'

/** One entry of an adapter. All but full-values may stand in a recipe's `adapters`. */
export type AdapterSettings =
  AdditionalScanSettings | FullValuesSettings | InitialStateSettings | LoraSettings | StateOffsetSettings

/** Schemas of one entry of a recipe's `adapters`, told apart by `method`. */
export const methodSchemas = [loraSettings, initialStateSettings, additionalScanSettings, stateOffsetSettings] as const

/** Why a method has no exact merge, and what to do instead; null for those that have one. */
export const noMergeOf: {readonly [Name in AdapterSettings['method']]: NoMerge | null} = {
  'additional-scan': null,
  'full-values': null,
  'initial-state': noMergeOfInitialState,
  lora: null,
  'state-offset': noMergeOfStateOffset,
}

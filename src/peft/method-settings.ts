/**
 * What is known of the methods without a tensor library: their settings, and which of them have no exact merge. Recipes,
 * adapter files and `mambatune inspect` need no more. What a method computes is in the registry.
 */
import {type AdditionalScanSettings, additionalScanSettings} from './additional-scan-settings.js'
import {type DeltaScaleSettings, deltaScaleSettings} from './delta-scale-settings.js'
import {type FullValuesSettings} from './full-values-settings.js'
import {type InitialStateSettings, initialStateSettings, noMergeOfInitialState} from './initial-state-settings.js'
import {FIRST_FACTORS, type LoraSettings, loraSettings} from './lora-settings.js'
import {type NoMerge} from './method.js'
import {type PartialSettings, partialSettings} from './partial-settings.js'
import {type ProdialSettings, prodialSettings} from './prodial-settings.js'
import {type SparseDimensionSettings, sparseDimensionSettings} from './sparse-dimension-settings.js'
import {noMergeOfStateOffset, type StateOffsetSettings, stateOffsetSettings} from './state-offset-settings.js'
import {type VeraSettings, veraSettings} from './vera-settings.js'

/** One entry of an adapter. All but full-values may stand in a recipe's `adapters`. */
export type AdapterSettings =
  | AdditionalScanSettings
  | DeltaScaleSettings
  | FullValuesSettings
  | InitialStateSettings
  | LoraSettings
  | PartialSettings
  | ProdialSettings
  | SparseDimensionSettings
  | StateOffsetSettings
  | VeraSettings

/** Schemas of one entry of a recipe's `adapters`, told apart by `method`. */
export const methodSchemas = [
  loraSettings,
  initialStateSettings,
  additionalScanSettings,
  stateOffsetSettings,
  veraSettings,
  partialSettings,
  deltaScaleSettings,
  prodialSettings,
  sparseDimensionSettings,
] as const

/** Whether a tensor of a saved adapter was trained, from the method's own name for it. */
export function isTrained(settings: AdapterSettings, name: string): boolean {
  return settings.method !== 'lora' || FIRST_FACTORS.every((first) => !name.endsWith(`.${first}`))
}

/** Why a method has no exact merge, and what to do instead; null for those that have one. */
export const noMergeOf: {readonly [Name in AdapterSettings['method']]: NoMerge | null} = {
  'additional-scan': null,
  'delta-scale': null,
  'full-values': null,
  'initial-state': noMergeOfInitialState,
  lora: null,
  partial: null,
  prodial: null,
  'sparse-dimension': null,
  'state-offset': noMergeOfStateOffset,
  vera: null,
}

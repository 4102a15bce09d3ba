/**
 * What is known of the methods without a tensor library: their settings, and which of them have no exact merge. Recipes,
 * adapter files and `mambatune inspect` need no more. What a method computes is in the registry.
 */
import {type DeltaScaleSettings, deltaScaleSettings} from './delta-scale-settings.js'
import {type InitialStateSettings, initialStateSettings, noMergeOfInitialState} from './initial-state-settings.js'
import {type LoraSettings, loraSettings} from './lora-settings.js'
import {type NoMerge} from './method.js'
import {type PartialSettings, partialSettings} from './partial-settings.js'
import {type ProdialSettings, prodialSettings} from './prodial-settings.js'
import {type SparseDimensionSettings, sparseDimensionSettings} from './sparse-dimension-settings.js'

/** One entry of a recipe's `adapters`. */
export type AdapterSettings =
  DeltaScaleSettings | InitialStateSettings | LoraSettings | PartialSettings | ProdialSettings | SparseDimensionSettings

/** Schemas of one entry of a recipe's `adapters`, told apart by `method`. */
export const methodSchemas = [
  loraSettings,
  initialStateSettings,
  partialSettings,
  deltaScaleSettings,
  prodialSettings,
  sparseDimensionSettings,
] as const

/** Why a method has no exact merge, and what to do instead; null for those that have one. */
export const noMergeOf: {readonly [Name in AdapterSettings['method']]: NoMerge | null} = {
  'delta-scale': null,
  'initial-state': noMergeOfInitialState,
  lora: null,
  partial: null,
  prodial: null,
  'sparse-dimension': null,
}

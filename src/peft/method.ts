/**
 * What a fine-tuning method is to the rest of the program. A method owns its parameters by name; nothing looks adapter
 * tensors up by a part of their name.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {type Growth} from './growth.js'

/** A trained tensor before it exists. */
export interface ParameterSpec {
  readonly shape: readonly number[]
  /** First values, row-major. */
  initial(random: RandomStream): Float32Array
}

/** Plain values, as adapter files hold them. */
export interface ParameterValues {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** What an adapter knows while the model runs. */
export interface Attachment {
  readonly config: MambaConfig
  readonly parameters: ReadonlyMap<string, tf.Tensor>
  /** The source of dropout masks while training; null when not training. */
  readonly dropout: RandomStream | null
  /**
   * (B) 1 where a row of the batch begins a sequence although the model is given a state, whose part for that row is zero;
   * null: all rows go on, or all begin.
   */
  readonly begins: tf.Tensor1D | null
}

/** Adds a method's update to a checkpoint tensor, in place. */
export type MergeStep = (values: Float32Array) => void

export interface Method<Settings> {
  readonly name: string
  /** The parameters of these settings, in a fixed order. Errors: RecipeError for targets that match nothing. */
  parameters(settings: Settings, config: MambaConfig): ReadonlyMap<string, ParameterSpec>
  /** Sites with the adapter around `base`. */
  wrap(settings: Settings, attachment: Attachment, base: Sites): Sites
  /** Tensors that stand in for those of the checkpoint, by its names; most methods have none. */
  replaces?(settings: Settings, parameters: ReadonlyMap<string, tf.Tensor>): ReadonlyMap<string, tf.Tensor>
  /** Merging, or why there is none and what to do instead. */
  readonly merge: MergeRule<Settings> | NoMerge
}

export interface MergeRule<Settings> {
  /** For each checkpoint tensor that changes, how. */
  steps(
    settings: Settings,
    config: MambaConfig,
    parameters: ReadonlyMap<string, ParameterValues>,
  ): ReadonlyMap<string, MergeStep>
  /** How tensors become larger, after all steps of all entries. Absent: they keep their shapes. */
  growth?(settings: Settings, config: MambaConfig, parameters: ReadonlyMap<string, ParameterValues>): Growth
}

export interface NoMerge {
  readonly reason: string
  readonly instead: string
}

export function canMerge<Settings>(merge: MergeRule<Settings> | NoMerge): merge is MergeRule<Settings> {
  return 'steps' in merge
}

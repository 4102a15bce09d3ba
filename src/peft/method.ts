/**
 * What a fine-tuning method is to the rest of the program. A method owns its parameters by name; nothing looks adapter
 * tensors up by a part of their name.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'

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
}

/** Adds a method's update to a checkpoint tensor, in place. */
export type MergeStep = (values: Float32Array) => void

/**
 * Parameters that become others in the course of a run. Which they are is a matter of settings: the next phase is the same
 * method with other settings, chosen from what the present parameters have learned.
 */
export interface Phases<Settings> {
  /** Optimizer steps of the run after which these parameters end; null: they are the last. */
  end(settings: Settings): number | null
  /** What comes then. Its parameters start anew. */
  next(settings: Settings, config: MambaConfig, values: ReadonlyMap<string, ParameterValues>): Settings
  /** The settings in the phase that an earlier run of this method, with settings `reached`, was in. */
  from(settings: Settings, reached: Settings): Settings
  /** Settings of the last phase, right in every shape: for what is told before it is known. */
  last(settings: Settings, config: MambaConfig): Settings
}

export interface Method<Settings> {
  readonly name: string
  /** The parameters of these settings, in a fixed order. Errors: RecipeError for targets that match nothing. */
  parameters(settings: Settings, config: MambaConfig): ReadonlyMap<string, ParameterSpec>
  /** Tensors that follow from the settings and are not trained; the attachment has them among its parameters. */
  constants?(settings: Settings, config: MambaConfig): ReadonlyMap<string, ParameterValues>
  readonly phases?: Phases<Settings>
  /** Sites with the adapter around `base`. */
  wrap(settings: Settings, attachment: Attachment, base: Sites): Sites
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
  /** Why the merged model may differ by more than rounding, as a person will read it; null if it may not. Left out: never. */
  caveat?(settings: Settings, config: MambaConfig): string | null
}

export interface NoMerge {
  readonly reason: string
  readonly instead: string
}

export function canMerge<Settings>(merge: MergeRule<Settings> | NoMerge): merge is MergeRule<Settings> {
  return 'steps' in merge
}

/**
 * What a fine-tuning method is to the rest of the program. A method owns its parameters by name; nothing looks adapter
 * tensors up by a part of their name.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type RandomStream} from '../data/random.js'
import {type MambaConfig} from '../model/config.js'
import {type Sites} from '../model/sites.js'
import {type Growth} from './growth.js'
import {type Weights} from '../model/weights.js'

/** A tensor of a method before it exists. */
export interface ParameterSpec {
  readonly shape: readonly number[]
  /**
   * First values, row-major. `base` are the frozen weights, to be read; null where the caller has none, and then a method
   * that needs them throws.
   */
  initial(random: RandomStream, base: Weights | null): Float32Array | Promise<Float32Array>
  /** Not trained, and so not counted. saved: part of the adapter's file; remade: its first values are all there is to it. */
  readonly frozen?: 'saved' | 'remade'
  /** Absent: as the recipe's optimizer says. */
  readonly rates?: ParameterRates
}

/** How a tensor's optimizer differs from that of the run: factors, 1 if left out. */
export interface ParameterRates {
  readonly learningRate?: number
  readonly weightDecay?: number
}

/** Plain values, as adapter files hold them. */
export interface ParameterValues {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** What an adapter knows while the model runs. */
export interface Attachment {
  readonly config: MambaConfig
  /** The method's tensors by its own names, frozen ones included. */
  readonly parameters: ReadonlyMap<string, tf.Tensor>
  /** The base model's, which are never changed. */
  readonly weights: Weights
  /**
   * What follows from parameters and frozen weights alone: made anew where parameters may change from one use of the sites
   * to the next, and once under this name where they do not.
   */
  readonly settled: <T extends tf.Tensor>(name: string, make: () => T) => T
  /** What follows from frozen weights alone: made once under this name, and kept as long as the adapters. */
  readonly kept: <T extends tf.Tensor>(name: string, make: () => T) => T
  /** The source of dropout masks while training; null when not training. */
  readonly dropout: RandomStream | null
  /**
   * (B) 1 where a row of the batch begins a sequence although the model is given a state, whose part for that row is zero;
   * null: all rows go on, or all begin.
   */
  readonly begins: tf.Tensor1D | null
}

/** Adds a method's update to a checkpoint tensor, in place. `base` are the values before any update. */
export type MergeStep = (values: Float32Array, base: Float32Array) => void

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
  /** The tensors of these settings, in a fixed order. Errors: RecipeError for targets that match nothing. */
  parameters(settings: Settings, config: MambaConfig): ReadonlyMap<string, ParameterSpec>
  readonly phases?: Phases<Settings>
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

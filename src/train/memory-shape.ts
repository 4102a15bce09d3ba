/** What the memory of a step depends on, and the parts that it is counted in. */
import {type PaperGpu} from '../backend/gpu/rehearsal.js'
import {type MambaConfig} from '../model/config.js'
import {type AdapterSettings} from '../peft/method-settings.js'

export type Checkpointing = 'none' | 'block'

/** One batch. Letters are those of docs/notation.md. */
export interface StepShape {
  readonly config: MambaConfig
  readonly adapters: readonly AdapterSettings[]
  /** B: sequences computed at once */
  readonly rows: number
  /** L: the longest of them */
  readonly length: number
  /** Positions that have a loss; all of them if not known */
  readonly supervised?: number
  readonly checkpointing: Checkpointing
  readonly device: 'cpu' | 'gpu' | 'tensorflow'
  /** How activations and frozen matrices are stored on the GPU; other devices hold f32 */
  readonly precision: PaperGpu['precision']
  /** Of the GPU; those of a large one if none has been asked */
  readonly facts?: PaperGpu['facts']
}

/** M = B · L */
export const positionsOf = ({length, rows}: StepShape): number => rows * length

export const supervisedOf = (shape: StepShape): number => shape.supervised ?? positionsOf(shape)

export function sizeOf(lengths: readonly number[]): number {
  return lengths.reduce((product, length) => product * length, 1)
}

export function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** What a run is asked for, what it tells while it goes on, and what it gives back. */
import {type Device, type DeviceChoice} from '../backend/devices.js'
import {type Processes} from '../checkpoint/directory-lock.js'
import {type GaugeEvent, type TrainEvent} from '../train/events.js'
import {type TrainResult} from '../train/training-run.js'
import {type ModelPlace} from './model-place.js'
import {type Recipe} from './schema.js'

/** A stage lasts until the next event. */
export type RunEvent =
  | Exclude<TrainEvent, GaugeEvent>
  | MeasuredGauge
  | {readonly event: 'stage'; readonly text: string}
  | {readonly event: 'note'; readonly text: string}
  | {
      readonly event: 'plan'
      readonly steps: number
      /** Steps that were done before, by a run that this one goes on with */
      readonly done: number
      readonly trainable: number
      readonly total: number
    }
  | {readonly event: 'evaluating'; readonly done: number; readonly total: number}
  | {readonly event: 'checkpoint'; readonly step: number; readonly file: string}

/** A gauge of the training loop, with what the machine says. */
export interface MeasuredGauge extends GaugeEvent {
  /** Of the GPU where the run is on one, else of this process; null: not known */
  readonly memory_bytes: number | null
}

export interface RunOptions {
  readonly recipe: Recipe
  readonly device: DeviceChoice
  /** Bytes that the run takes of the GPU at most; null: no limit of ours */
  readonly gpuMemory?: number | null
  /** Where model and tokenizer lie, if not where the recipe says: models of the hub */
  readonly place?: ModelPlace
  readonly report: (event: RunEvent) => void
  readonly signal?: AbortSignal
  /** Knows this and other processes, so that two of them do not write one run. Without it no lock is taken. */
  readonly processes?: Processes
  /** Bytes that this process has of the machine's memory; gauges of runs that are not on a GPU say it. */
  readonly memoryInUse?: () => number
}

export interface RunSummary extends TrainResult {
  readonly out: string
  readonly adapter: string
  /** Path of the base model */
  readonly base: string
  readonly trainableParameters: number
  readonly baseParameters: number
  readonly device: Device
}

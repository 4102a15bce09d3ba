/** What a plan is asked for, and a measurement beside it. */
import {type DeviceChoice} from '../backend/devices.js'
import {type Recipe} from '../recipe/schema.js'

export interface PlanQuestion {
  readonly recipe: Recipe
  readonly device: DeviceChoice
  /** Bytes of the GPU that may be taken; null: what there is */
  readonly gpuMemory: number | null
}

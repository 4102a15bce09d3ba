/** What a plan is asked for, and a measurement beside it. */
import {type DeviceChoice} from '../backend/devices.js'
import {type ModelPlace} from '../recipe/model-place.js'
import {type Recipe} from '../recipe/schema.js'

export interface PlanQuestion {
  readonly recipe: Recipe
  /** Where model and tokenizer lie, if not where the recipe says: models of the hub */
  readonly place?: ModelPlace
  readonly device: DeviceChoice
  /** Bytes of the GPU that may be taken; null: what there is */
  readonly gpuMemory: number | null
}

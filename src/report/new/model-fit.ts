/** Whether a model can be fine-tuned on a device at all: the estimate of `plan` for the smallest step that is of use. */
import {type MemorySize} from '../../backend/gpu/memory-size.js'
import {chooseMethod} from '../../recipe/new/method-presets.js'
import {type MambaConfig} from '../../model/config.js'
import {type Place} from '../../train/largest-batch.js'
import {estimateMemory} from '../../train/memory-estimate.js'
import {fits} from '../../train/memory-fit.js'
import {type FoundPlace} from '../plan.js'
import {type FoundModel} from './find-models.js'

/** One row of so many tokens */
const LENGTH = 256

export interface ModelFit {
  /** Bytes, estimated */
  readonly needs: number
  readonly fits: boolean
}

/** By model.base; models of one shape are estimated once. `report` hears of each before it is. */
export async function fitOf(
  models: readonly FoundModel[],
  {available, place}: Pick<FoundPlace, 'available' | 'place'>,
  report: (done: number, of: number) => void = () => {},
): Promise<ReadonlyMap<string, ModelFit>> {
  const byShape = new Map<string, Promise<ModelFit>>()
  const fitting = new Map<string, ModelFit>()
  for (const [index, {base, config, parameters}] of models.entries()) {
    report(index, models.length)
    const shape = JSON.stringify(config)
    // One after the other: a rehearsal on the GPU wants no other computation beside it.
    const known = byShape.get(shape) ?? estimate(config, parameters, place, available)
    byShape.set(shape, known)
    fitting.set(base, await known)
  }
  return fitting
}

async function estimate(
  config: MambaConfig,
  parameters: number,
  place: Place,
  available: MemorySize,
): Promise<ModelFit> {
  const {adapters} = chooseMethod('light', config, {parameters})
  const {total} = await estimateMemory({
    adapters: adapters.map(({settings}) => settings),
    checkpointing: 'block',
    config,
    length: LENGTH,
    rows: 1,
    ...place,
  })
  return {fits: fits(total, available), needs: total}
}

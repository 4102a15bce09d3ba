/** Loss and gradients of a batch as plain numbers. */
import {type Batch} from '../../src/data/batches.js'
import {type AdapterSet} from '../../src/peft/adapter-set.js'
import {lossAndGradients, type LossOptions, type Trainee} from '../../src/train/batch-loss.js'

export interface Numbers {
  readonly loss: number
  readonly gradients: Record<string, Float32Array>
}

/** Of the summed loss. Nothing stays on the device. */
export async function gradientsOf(trainee: Trainee, batch: Batch, options?: LossOptions): Promise<Numbers> {
  const {dispose, gradients, loss} = lossAndGradients(trainee, batch, options)
  const numbers: Record<string, Float32Array> = {}
  for (const [name, gradient] of gradients) numbers[name] = (await gradient.data<'float32'>()).slice()
  const [sum] = await loss.data()
  dispose()
  return {gradients: numbers, loss: sum}
}

/** Adapter tensors by name. */
export async function valuesOf(adapters: Pick<AdapterSet, 'values'>): Promise<Record<string, Float32Array>> {
  return Object.fromEntries([...(await adapters.values())].map(([name, {values}]) => [name, values]))
}

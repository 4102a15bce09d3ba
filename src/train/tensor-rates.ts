/**
 * Learning rates and weight decays of single tensors, as factors on those of the run: what the method says of the tensor
 * (LoRA+ of B), and what the recipe says of the adapter (`learning_rate`).
 */
import {type AdapterSet} from '../peft/adapter-set.js'
import {type TensorRates} from './optimizer.js'

/** @param learningRate of the run, the highest */
export function tensorRates({rates}: AdapterSet, learningRate: number): ReadonlyMap<string, TensorRates> {
  return new Map(
    [...rates].map(([name, {learningRate: factor = 1, own, weightDecay = 1}]) => {
      const ofEntry = own === null ? 1 : own / learningRate
      return [name, {learningRate: factor * ofEntry, weightDecay}]
    }),
  )
}

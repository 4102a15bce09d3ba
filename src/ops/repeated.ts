/**
 * Work that is done again and again on other numbers, such as a training step. On a GPU its commands are recorded and
 * repeated (backend/gpu/repeated-work.ts); elsewhere it is computed each time.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {gpuBackend} from '../backend/gpu/current.js'
import {type RepeatedWork} from '../backend/gpu/repeated-work.js'
import {toTensors} from './operation.js'

/** Tensors by name. The current scope owns them, unless they were computed and kept. */
export type NamedTensors = Readonly<Record<string, tf.Tensor>>

export function repeated(work: RepeatedWork, compute: () => NamedTensors): NamedTensors {
  const backend = gpuBackend()
  if (!backend) return compute()
  const results = backend.repeated(work, compute)
  const tensors = toTensors(Object.values(results))
  return Object.fromEntries(Object.keys(results).map((name, index) => [name, tensors[index]]))
}

/**
 * Tensors of the base that an adapter file repeats. PEFT stores embedding and head whole beside LoRA on them. They say
 * nothing new, as long as they are the model's: a model with more tokens, or another one, is found by them.
 */
import {type ModelFiles} from '../checkpoint/model-directory.js'
import {readTensorFloat32} from '../checkpoint/safetensors.js'
import {type Fault, MismatchError} from '../errors.js'
import {EMBEDDINGS, HEAD} from '../model/parameters.js'
import {type ParameterValues} from './method.js'
import {type SavedAdapter} from './saved-adapter.js'

/** Two roundings to bf16, the coarsest format that either side may be stored in. */
const ROUNDING = 2 ** -7

/** Errors: MismatchError where a repeated tensor is not that of these files. */
export async function checkCopies({copies}: SavedAdapter, {tensors}: ModelFiles): Promise<void> {
  const faults: Fault[] = []
  for (const [where, copy] of copies ?? []) {
    const entry = tensors.get(where) ?? (where === HEAD ? tensors.get(EMBEDDINGS) : undefined) // a tied head
    if (!entry) faults.push({message: 'is not a tensor of this model', where})
    else if (entry.shape.join() !== copy.shape.join()) {
      faults.push({message: `is ${copy.shape.join(' × ')} in the adapter and ${entry.shape.join(' × ')} here`, where})
    } else if (!isSame(copy, await readTensorFloat32(entry))) {
      faults.push({message: 'has other values in the adapter than here', where})
    }
  }
  if (faults.length === 0) return
  throw new MismatchError('The adapter was trained on another model: it brings tensors of that model along.', {
    faults,
    hint: 'Use the model that it was trained on, with the same tokens added.',
  })
}

function isSame({values}: ParameterValues, others: Float32Array): boolean {
  return values.every((value, index) => Math.abs(value - others[index]) <= ROUNDING * Math.abs(others[index]))
}

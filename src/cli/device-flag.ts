/** The flags that choose a device. The names are written out here, because help must not load a tensor library. */
import {Flags} from '@oclif/core'
import {gibibytes} from './number-flags.js'

export const deviceFlag = Flags.option({
  default: 'auto',
  description: 'Where to compute. auto takes the best that this machine has and says which.',
  options: ['auto', 'gpu', 'cpu', 'tensorflow'] as const,
})

/** For commands without a recipe, which says it as model.dtype. */
export const precisionFlag = Flags.option({
  default: 'auto',
  description: 'How frozen weights and activations are stored on the GPU; auto takes f16. Device cpu computes in f32.',
  options: ['auto', 'f16', 'f32'] as const,
})

/** Each command that computes on a GPU may be kept from taking all of its memory. */
export const gpuMemoryFlag = gibibytes({
  description: 'Memory of the GPU that may be taken, in GiB; without it, all that is there.',
  env: 'MAMBATUNE_GPU_MEMORY',
})

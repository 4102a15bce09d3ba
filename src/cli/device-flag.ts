/** The flag that chooses a device. The names are written out here, because help must not load a tensor library. */
import {Flags} from '@oclif/core'

export const deviceFlag = Flags.option({
  default: 'auto',
  description: 'Where to compute. auto takes the best that this machine has and says which.',
  options: ['auto', 'gpu', 'cpu', 'tensorflow'] as const,
})

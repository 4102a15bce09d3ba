/** The flag for a tokenizer that does not come with the model. */
import {Flags} from '@oclif/core'

export const tokenizerFlag = Flags.string({
  description: 'Another tokenizer than that of the model: a directory, or a name on the hub.',
  helpValue: 'MODEL',
})

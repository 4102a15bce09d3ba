/** The flags that put an adapter around a model. */
import {Flags} from '@oclif/core'

export const adapterFlags = {
  adapter: Flags.string({description: 'Directory of an adapter, ours or of Hugging Face PEFT.', helpValue: 'DIR'}),
  'any-base': Flags.boolean({
    description: 'Accept an adapter that was trained on other weights of the same shapes.',
  }),
}

/** The flags that put an adapter around a model. */
import {Flags} from '@oclif/core'
import {type AttachOptions} from '../peft/attached-model.js'
import {nonNegative} from './number-flags.js'

export const adapterFlags = {
  adapter: Flags.string({description: 'Directory of an adapter, ours or of Hugging Face PEFT.', helpValue: 'DIR'}),
  'any-base': Flags.boolean({
    description: 'Accept an adapter that was trained on other weights of the same shapes.',
  }),
  'state-scale': nonNegative({
    dependsOn: ['adapter'],
    description: "Multiply the adapter's first state of the scan by this; 0 leaves it out.",
  }),
}

/** What these flags say of `attachModel`. */
export function adapterOptions(flags: {
  readonly adapter?: string | undefined
  readonly 'any-base'?: boolean
  readonly 'state-scale'?: number | undefined
}): Pick<AttachOptions, 'adapter' | 'anyBase' | 'stateScale'> {
  return {adapter: flags.adapter, anyBase: flags['any-base'] ?? false, stateScale: flags['state-scale']}
}

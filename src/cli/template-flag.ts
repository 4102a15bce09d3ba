/** The flag for how conversations are written as text. */
import {Flags} from '@oclif/core'

export const templateFlag = Flags.string({
  description: 'How turns are written as text: chatml, alpaca, plain, tokenizer, or a file of Jinja.',
  helpValue: 'NAME',
})

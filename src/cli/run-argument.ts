/** The run that a command is about, as an argument; the latest one where none is named. */
import {Args} from '@oclif/core'

export const runArgument = Args.string({
  description: 'Output directory of the run; without it, the run in the folder runs that wrote last.',
  required: false,
})

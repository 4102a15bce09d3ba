/** The flags that say how tokens are chosen. */
import {Flags} from '@oclif/core'
import {aboveZero, count, nonNegative, seed, share} from './number-flags.js'

export const samplingFlags = {
  seed: seed({default: 0, description: 'Seed of the sampling; the same one repeats the text.'}),
  stop: Flags.string({
    description: 'End before this text. May be given several times.',
    helpValue: 'TEXT',
    multiple: true,
    multipleNonGreedy: true,
  }),
  temperature: nonNegative({
    default: 0,
    description: '0 always takes the most probable token; 1 samples as the model says.',
  }),
  'repetition-penalty': aboveZero({
    default: 1,
    description: 'Above 1, tokens that were there before become less probable.',
  }),
  'top-k': count({description: 'Sample from the K most probable tokens only.'}),
  'top-p': share({
    default: 1,
    description: 'Sample from the most probable tokens that together have this probability.',
  }),
}

/** One case for each operation, large enough that its kernels run on several threads. */
import {type Named} from '../support/values.js'
import {gatedNorm, gatedNormInputs, ssd, ssdInputs} from './mamba2-subjects.js'
import {type Subject} from './subject.js'
import {
  conv,
  convInputs,
  headLoss,
  headLossInputs,
  linear,
  linearInputs,
  lookUp,
  lookUpInputs,
  norm,
  normInputs,
  scan,
  scanInputs,
} from './subjects.js'

export interface Case {
  readonly subject: Subject
  readonly inputs: Named
}

export const CASES: readonly Case[] = [
  {inputs: scanInputs({batch: 2, channels: 37, length: 150, states: 16}), subject: scan},
  {inputs: convInputs({batch: 2, channels: 67, length: 150, width: 4}), subject: conv},
  {inputs: normInputs([5, 131, 103]), subject: norm()},
  {
    inputs: ssdInputs({batch: 2, groups: 2, heads: 6, length: 70, size: 9, states: 13}),
    subject: ssd(6, 2, [0.05, 0.5]),
  },
  {inputs: gatedNormInputs([5, 131, 103]), subject: gatedNorm()},
  {
    inputs: linearInputs({bias: true, dropped: true, inputs: 67, outputs: 129, rank: 11, rows: [3, 61]}),
    subject: linear,
  },
  {
    inputs: headLossInputs({ignoredEvery: 5, inner: 37, rows: 160, transposed: true, vocabulary: 601}),
    subject: headLoss,
  },
  {inputs: lookUpInputs(4, 150, 97, 111), subject: lookUp},
]

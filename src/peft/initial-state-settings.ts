/** What a recipe says of a learned first state. Source: state tuning, arXiv 2503.03499 section 3; see docs/methods.md. */
import {z} from 'zod'
import {type NoMerge} from './method.js'

export const initialStateSettings = z
  .strictObject({
    method: z
      .literal('initial-state')
      .describe('A learned first state of scan and convolution: what prefix tokens become.'),
    scan: z.boolean().default(true).describe('Learn the first state of the scan, (E, N) per layer.'),
    conv: z.boolean().default(true).describe('Learn the first window of the convolution, (E, K-1) per layer.'),
  })
  .refine(({conv, scan}) => conv || scan, {
    error: 'scan and conv are both false, so nothing would be learned; write true for one of them',
  })

export type InitialStateSettings = z.infer<typeof initialStateSettings>

export const noMergeOfInitialState: NoMerge = {
  instead: 'Export it with: mambatune export ADAPTER --format state --out DIR, or keep it attached with --adapter.',
  reason: 'no weight of a Mamba checkpoint holds a first state',
}

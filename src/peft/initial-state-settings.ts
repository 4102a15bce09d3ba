/** What a recipe says of a learned first state. Source: state tuning, arXiv 2503.03499 section 3; see docs/methods.md. */
import {z} from 'zod'
import {type NoMerge} from './method.js'

export const initialStateSettings = z
  .strictObject({
    method: z
      .literal('initial-state')
      .describe('A learned first state of scan and convolution: what prefix tokens become.'),
    scan: z
      .boolean()
      .default(true)
      .describe('Learn the first state of the scan: (E, N) per layer, in Mamba-2 (H, P, N).'),
    conv: z
      .boolean()
      .default(true)
      .describe('Learn the first window of the convolution: (E, K-1) per layer, in Mamba-2 (E + 2GN, K-1).'),
    rank: z
      .int()
      .min(1)
      .max(4096)
      .optional()
      .describe(
        'Learn the first state of the scan as a product of this inner dimension, head by head; whole if left out.',
      ),
    scale: z
      .number()
      .positive()
      .optional()
      .describe('Factor of the first state of the scan, in training and in use; 1 if left out.'),
  })
  .refine(({conv, scan}) => conv || scan, {
    error: 'scan and conv are both false, so nothing would be learned; write true for one of them',
  })
  .refine(({rank, scan}) => rank === undefined || scan, {
    error: 'rank is that of the first state of the scan, and scan is false; leave one of them out',
    path: ['rank'],
  })
  .refine(({scale, scan}) => scale === undefined || scan, {
    error: 'scale is that of the first state of the scan, and scan is false; leave one of them out',
    path: ['scale'],
  })

export type InitialStateSettings = z.infer<typeof initialStateSettings>

export const noMergeOfInitialState: NoMerge = {
  instead: 'Export it with: mambatune export ADAPTER --format state --out DIR, or keep it attached with --adapter.',
  reason: 'no weight of a Mamba checkpoint holds a first state',
}

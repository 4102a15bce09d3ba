/** `--no-card`, and the cards of merged models and exported adapters. */
import {Flags} from '@oclif/core'
import {type ExportFormatName} from '../peft/export-adapter.js'
import {type LeftOut} from '../peft/export-format.js'
import {type MergeReport} from '../peft/merge-adapter.js'

export const cardFlag = Flags.boolean({
  allowNo: true,
  default: true,
  description: 'Write a README.md that says what this was made from and how to use it, without paths of this machine.',
})

export async function mergeCard(report: MergeReport, baseDirectory: string): Promise<string> {
  const {modelCard} = await import('../report/model-card.js')
  const {adapter, base, logits_difference: difference, same_top_token: same, tokens} = report
  const certificate = [
    `Merged and attached were compared on ${tokens} tokens: logits differ by at most ${difference.toExponential(1)} of the largest`,
    `${(100 * same).toFixed(1)} % of the most probable tokens are the same; \`merge.json\` has the rest`,
  ]
  return modelCard({adapter, base, baseDirectory, certificate, kind: 'merged'})
}

export interface Exported {
  readonly adapter: string
  /** The base that was named instead of the adapter's own */
  readonly base: {readonly directory: string; readonly name: string} | undefined
  readonly kind: ExportFormatName
  readonly leftOut: readonly LeftOut[]
}

export async function exportCard({adapter, base, kind, leftOut}: Exported): Promise<string> {
  const [{readAdapter}, {modelCard}] = await Promise.all([
    import('../peft/saved-adapter.js'),
    import('../report/model-card.js'),
  ])
  const {path} = (await readAdapter(adapter)).base
  return modelCard({adapter, base: base?.name ?? path, baseDirectory: base?.directory ?? path, kind, leftOut})
}

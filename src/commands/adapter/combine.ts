import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {findModel} from '../../cli/locate-model.js'
import {weightedPath} from '../../cli/weighted-path.js'
import {type CombineReport} from '../../peft/combine-files.js'

export default class Combine extends BaseCommand {
  static override args = {
    adapter: Args.string({description: 'Directories of adapters of one base, each with its weight.', required: true}),
  }

  static override description =
    'Writes one adapter that adds the weighted sum of what the others add. Ranks are stacked, so the sum is exact; with --rank each update is cut to that ' +
    'rank in the best way there is, and what is lost is said. Whole initial states are summed too; other methods have no sum.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/a/adapter=0.7 runs/b/adapter=0.3 -o runs/both',
    '<%= config.bin %> <%= command.id %> runs/a/adapter=1 runs/b/adapter=-1 -o runs/a-without-b --rank 16',
  ]

  static override flags = {
    base: Flags.string({
      description:
        'The model of the adapters, needed if all are of PEFT and theirs is not here: a directory, or a name on the hub.',
      helpValue: 'MODEL',
    }),
    out: Flags.string({char: 'o', description: 'Directory for the result.', helpValue: 'DIR', required: true}),
    rank: Flags.integer({description: 'Cut every low-rank update to this rank.', helpValue: 'R', max: 4096, min: 1}),
  }

  static override strict = false

  static override summary = 'Add up adapters of one base, with weights.'

  static override usage = '<%= command.id %> ADAPTER=WEIGHT... -o DIR [--rank R] [--base MODEL] [--json]'

  async run(): Promise<CombineReport> {
    const {argv, flags} = await this.parse(Combine)
    const adapters = argv.map((argument) => weightedPath(String(argument)))
    const [{combineAdapters}, {combineText}] = await Promise.all([
      import('../../peft/combine-files.js'),
      import('../../cli/adapter-text.js'),
    ])
    const progress = await this.progress()
    const base = flags.base === undefined ? undefined : await findModel(flags.base, progress)
    progress.step(`Writing ${flags.out}`)
    const report = await combineAdapters({adapters, base, out: flags.out, rank: flags.rank ?? null})
    progress.stop()
    this.out(combineText(report))
    return report
  }
}

import {Args} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {processes} from '../../cli/processes.js'
import {type RunComparison} from '../../report/runs/compare-runs.js'

export default class RunsCompare extends BaseCommand {
  static override args = {
    first: Args.string({description: 'Output directory of a run.', required: true}),
    second: Args.string({description: 'Another; more may follow.', required: true}),
  }

  static override description = 'Losses, times, sizes and memory of each, and the recipe values in which they differ.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/one runs/two',
    '<%= config.bin %> <%= command.id %> runs/one runs/two runs/three --json',
  ]

  static override strict = false
  static override summary = 'Put runs side by side.'

  async run(): Promise<RunComparison> {
    const {argv} = await this.parse(RunsCompare)
    const [{comparisonText}, {stdoutOptions}, {compareRuns}, {readRun}] = await Promise.all([
      import('../../cli/runs-text.js'),
      import('../../cli/text-options.js'),
      import('../../report/runs/compare-runs.js'),
      import('../../report/runs/show-run.js'),
    ])
    const runs = await Promise.all(argv.map((run) => readRun(String(run), processes)))
    const comparison = compareRuns(runs)
    this.out(comparisonText(comparison, stdoutOptions().style))
    return comparison
  }
}

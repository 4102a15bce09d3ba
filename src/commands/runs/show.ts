import {BaseCommand} from '../../cli/base-command.js'
import {processes} from '../../cli/processes.js'
import {runArgument} from '../../cli/run-argument.js'
import {type RunRecord} from '../../report/runs/show-run.js'

export default class RunsShow extends BaseCommand {
  static override args = {run: runArgument}

  static override description =
    'Its recipe, hashes of base model, data and adapter, the loss as a curve, the checkpoints, and what to type next.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/quickstart',
    '<%= config.bin %> <%= command.id %> runs/quickstart --json',
  ]

  static override summary = 'Show one run.'

  async run(): Promise<RunRecord> {
    const {args} = await this.parse(RunsShow)
    const [{runText}, {stdoutOptions}, {latestRun}, {readRun}] = await Promise.all([
      import('../../cli/runs-text.js'),
      import('../../cli/text-options.js'),
      import('../../recipe/latest-run.js'),
      import('../../report/runs/show-run.js'),
    ])
    const run = await readRun(args.run ?? (await latestRun()), processes)
    this.out(runText(run, stdoutOptions()))
    return run
  }
}

import {Args} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {processes} from '../../cli/processes.js'
import {type RunListing} from '../../report/runs/list-runs.js'

export default class RunsList extends BaseCommand {
  static override args = {
    folder: Args.string({default: 'runs', description: 'Folder that the runs are in, or in folders of it.'}),
  }

  static override description =
    'running: a program works on it. finished: all steps are done. interrupted: stopped or killed, and mambatune resume goes on. failed: ended by an error.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> experiments --json',
  ]

  static override summary = 'List the runs in a folder, the latest first.'

  async run(): Promise<RunListing[]> {
    const {args} = await this.parse(RunsList)
    const [{runListText}, {stdoutOptions}, {listRuns}] = await Promise.all([
      import('../../cli/runs-text.js'),
      import('../../cli/text-options.js'),
      import('../../report/runs/list-runs.js'),
    ])
    const runs = await listRuns(args.folder, processes)
    this.out(
      runs.length > 0
        ? runListText(runs, new Date(), stdoutOptions().style)
        : `There are no runs in ${args.folder}. Begin one: mambatune train RECIPE --out ${args.folder}/NAME`,
    )
    return runs
  }
}

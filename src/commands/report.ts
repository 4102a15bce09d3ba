import {Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {processes} from '../cli/processes.js'
import {runArgument} from '../cli/run-argument.js'
import {type ReportFile} from '../report/page/write-report.js'

export default class Report extends BaseCommand {
  static override args = {run: runArgument}

  static override description =
    'Loss, validation, gradient norms by adapter group, learning rate, throughput, memory, what each layer has changed, the recipe and hashes, in one file that loads nothing and needs no script. train and resume write it at their end (logging.report in the recipe).'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/quickstart',
    '<%= config.bin %> <%= command.id %> runs/quickstart -o quickstart.html',
  ]

  static override flags = {
    out: Flags.string({char: 'o', description: 'File to write; report.html in the run without it.', helpValue: 'FILE'}),
  }

  static override summary = 'Write a page with everything about a run.'

  async run(): Promise<ReportFile> {
    const {args, flags} = await this.parse(Report)
    const [{latestRun}, {writeReport}] = await Promise.all([
      import('../recipe/latest-run.js'),
      import('../report/page/write-report.js'),
    ])
    const run = args.run ?? (await latestRun())
    const progress = await this.progress()
    progress.step(`Reading ${run}`)
    const report = await writeReport({out: flags.out ?? null, processes, run})
    progress.stop()
    this.out(`Wrote ${report.file}. Open it in a browser.`)
    return report
  }
}

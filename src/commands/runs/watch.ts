import {BaseCommand} from '../../cli/base-command.js'
import {processes} from '../../cli/processes.js'
import {runArgument} from '../../cli/run-argument.js'
import {type RunStatus} from '../../report/runs/run-status.js'

export interface WatchedRun {
  readonly run: string
  readonly status: RunStatus
  readonly steps: number
  readonly last_loss: number | null
  readonly best_validation: {readonly loss: number; readonly step: number} | null
}

export default class RunsWatch extends BaseCommand {
  static override args = {run: runArgument}

  static override description =
    'Reads what the run writes and leaves it alone: Ctrl+C ends the watching, not the run. Without a terminal it prints a line now and then.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> runs/quickstart',
  ]

  static override summary = 'Follow a run from another terminal until it ends.'

  async run(): Promise<WatchedRun> {
    const {args} = await this.parse(RunsWatch)
    const [{RunProgress}, {showLine, showSoFar}, {latestRun}, {followRun}, {readRun}] = await Promise.all([
      import('../../cli/run-progress.js'),
      import('../../cli/watch-progress.js'),
      import('../../recipe/latest-run.js'),
      import('../../report/runs/follow-run.js'),
      import('../../report/runs/show-run.js'),
    ])
    const directory = args.run ?? (await latestRun())
    const now = await readRun(directory, processes)
    if (now.status === 'running') {
      const progress = new RunProgress(await this.progress())
      showSoFar(now, progress)
      for await (const line of followRun(directory, {processes})) showLine(line, progress)
      progress.finish()
    }
    const {best_validation: best, status, steps} = await readRun(directory, processes)
    const last = steps.at(-1)
    this.out(
      [
        `${directory} is ${status} after ${last?.step ?? 0} steps`,
        ...(last ? [`last training loss ${last.loss.toFixed(4)}`] : []),
        ...(best ? [`best validation loss ${best.loss.toFixed(4)} at step ${best.step}`] : []),
      ].join('; ') + '.',
    )
    this.out(`Show it: mambatune runs show ${directory}`)
    return {run: directory, status, steps: last?.step ?? 0, last_loss: last?.loss ?? null, best_validation: best}
  }
}

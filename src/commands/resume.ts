import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {gpuMemoryFlag} from '../cli/device-flag.js'
import {eventsFlag} from '../cli/event-stream.js'
import {writeFinalReport} from '../cli/final-report.js'
import {interruptSignal} from '../cli/interrupt.js'
import {findData} from '../cli/locate-data.js'
import {findModelAndTokenizer} from '../cli/locate-model.js'
import {processes} from '../cli/processes.js'
import {setFlag} from '../cli/set-flag.js'
import {type TrainReport, trainReport, trainReportText} from '../cli/train-report.js'
import {UsageError} from '../errors.js'

export default class Resume extends BaseCommand {
  static override args = {
    run: Args.string({
      description: 'Output directory of the run; without it, the run in the folder runs that wrote last.',
      required: false,
    }),
  }

  static override description =
    'Takes the newest checkpoint that is whole, and comes to the same adapter, byte for byte, as a run that never stopped. Settings that would change it are refused; --fork goes on with them in a new directory. A run that is done goes on for more epochs, steps, tokens or minutes, with the optimizer as it was.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> runs/quickstart --set checkpoints.every=20',
    '<%= config.bin %> <%= command.id %> runs/quickstart --epochs +2',
    '<%= config.bin %> <%= command.id %> runs/quickstart --fork runs/slower --set train.optimizer.learning_rate=1e-4',
  ]

  static override flags = {
    device: Flags.option({
      description: 'Where to compute, if not where the run began; another device needs --fork.',
      options: ['auto', 'gpu', 'cpu', 'tensorflow'] as const,
    })(),
    events: eventsFlag,
    'gpu-memory': gpuMemoryFlag,
    epochs: Flags.string({
      description: 'Go on with a run that is done: to this many epochs, or with +N for N more.',
      helpValue: '[+]N',
    }),
    fork: Flags.string({
      description: 'New directory in which the run goes on; the old one stays as it is.',
      helpValue: 'DIR',
    }),
    set: Flags.string({
      description: 'Change a value of the recipe. May be given several times.',
      ...setFlag,
    }),
  }

  static override summary = 'Go on with a run that was stopped or killed.'

  async run(): Promise<TrainReport> {
    const {args, flags} = await this.parse(Resume)
    const [{RunProgress}, {latestRun}, {resumeRun}] = await Promise.all([
      import('../cli/run-progress.js'),
      import('../recipe/latest-run.js'),
      import('../recipe/resume-run.js'),
    ])
    const events = await this.events(flags.events)
    const run = args.run ?? (await latestRun())
    const reporter = await this.progress()
    if (args.run === undefined) reporter.note(`the latest run is ${run}`)
    const progress = new RunProgress(reporter)
    events.start('resume', this.config.version, flags.fork ?? run)
    let baseDirectory: string | null = null
    const {dispose, signal} = interruptSignal()
    try {
      const summary = await resumeRun({
        device: flags.device ?? null,
        fork: flags.fork ?? null,
        gpuMemory: flags['gpu-memory'] ?? null,
        async locate(recipe) {
          const {base, tokenizer} = recipe.model
          const located = await findModelAndTokenizer(base, {tokenizer}, reporter)
          baseDirectory = located.directory
          return {data: await findData(recipe, reporter), model: located.directory, tokenizer: located.tokenizer}
        },
        ...longer(flags.epochs, flags.set ?? []),
        memoryInUse: () => process.memoryUsage.rss(),
        processes,
        report(event) {
          progress.show(event)
          events.run(event)
        },
        run,
        signal,
      })
      progress.finish()
      const report = trainReport(summary, await writeFinalReport(summary.out, baseDirectory, reporter))
      events.end(report)
      for (const line of trainReportText(report, summary.base)) this.out(line)
      return report
    } finally {
      dispose()
    }
  }
}

/** What --epochs asks for: a number to come to, or to add. */
function longer(
  epochs: string | undefined,
  overrides: readonly string[],
): {moreEpochs: number | null; overrides: string[]} {
  if (epochs === undefined) return {moreEpochs: null, overrides: [...overrides]}
  const wanted = /^\+?\d+(\.\d+)?$/.test(epochs) ? Number(epochs) : 0
  if (wanted <= 0) {
    throw new UsageError(`--epochs is ${epochs}, expected a number above 0, or +N for N more.`)
  }
  if (epochs.startsWith('+')) return {moreEpochs: wanted, overrides: [...overrides]}
  return {moreEpochs: null, overrides: [...overrides, `train.epochs=${wanted}`]}
}

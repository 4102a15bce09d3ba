import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {setFlag} from '../cli/set-flag.js'
import {deviceFlag, gpuMemoryFlag} from '../cli/device-flag.js'
import {eventsFlag} from '../cli/event-stream.js'
import {writeFinalReport} from '../cli/final-report.js'
import {interruptSignal} from '../cli/interrupt.js'
import {findData} from '../cli/locate-data.js'
import {findModelAndTokenizer} from '../cli/locate-model.js'
import {processes} from '../cli/processes.js'
import {type TrainReport, trainReport, trainReportText} from '../cli/train-report.js'

export default class Train extends BaseCommand {
  static override args = {
    recipe: Args.string({
      description: 'Path of a recipe, or the name of one that comes with mambatune.',
      required: true,
    }),
  }

  static override description =
    'Writes <out>/adapter, <out>/metrics.jsonl, <out>/checkpoints and <out>/recipe.resolved.yaml. Paths in a recipe are relative to the current directory. Ctrl+C stops after the present batch and keeps a checkpoint, from which mambatune resume goes on.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> recipes/quickstart.yaml',
    '<%= config.bin %> <%= command.id %> mine.yaml --set train.batch_size=4 --set adapters.0.rank=8 --out runs/small',
  ]

  static override flags = {
    device: deviceFlag(),
    events: eventsFlag,
    'gpu-memory': gpuMemoryFlag,
    out: Flags.string({description: 'Directory for the run, instead of output_dir of the recipe.', helpValue: 'DIR'}),
    set: Flags.string({
      description: 'Change a value of the recipe. May be given several times.',
      ...setFlag,
    }),
  }

  static override summary = 'Fine-tune a model as a recipe says.'

  async run(): Promise<TrainReport> {
    const {args, flags} = await this.parse(Train)
    const [{RunProgress}, {loadRecipe}, {findRecipe}, {runRecipe}] = await Promise.all([
      import('../cli/run-progress.js'),
      import('../recipe/load.js'),
      import('../recipe/packaged.js'),
      import('../recipe/run-recipe.js'),
    ])
    const events = await this.events(flags.events)
    const loaded = await loadRecipe(await findRecipe(args.recipe), flags.set ?? [], process.env)
    const reporter = await this.progress()
    const {base, tokenizer} = loaded.recipe.model
    const located = await findModelAndTokenizer(base, {tokenizer}, reporter)
    const model = {...loaded.recipe.model, base: located.name}
    const recipe = {...loaded.recipe, model, ...(flags.out !== undefined && {output_dir: flags.out})}
    const progress = new RunProgress(reporter)
    events.start('train', this.config.version, recipe.output_dir)
    const {dispose, signal} = interruptSignal()
    try {
      const summary = await runRecipe({
        device: flags.device,
        gpuMemory: flags['gpu-memory'] ?? null,
        memoryInUse: () => process.memoryUsage.rss(),
        place: {data: await findData(recipe, reporter), model: located.directory, tokenizer: located.tokenizer},
        processes,
        recipe,
        report(event) {
          progress.show(event)
          events.run(event)
        },
        signal,
      })
      progress.finish()
      const report = trainReport(summary, await writeFinalReport(summary.out, located.directory, reporter))
      events.end(report)
      for (const line of trainReportText(report, recipe.model.base)) this.out(line)
      return report
    } finally {
      dispose()
    }
  }
}

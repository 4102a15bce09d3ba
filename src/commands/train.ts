import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {setFlag} from '../cli/set-flag.js'
import {deviceFlag, gpuMemoryFlag} from '../cli/device-flag.js'
import {formatDuration} from '../cli/format.js'
import {interruptSignal} from '../cli/interrupt.js'
import {findModelAndTokenizer} from '../cli/locate-model.js'

interface Validation {
  readonly loss: number
  readonly perplexity: number
}

interface TrainReport {
  readonly out: string
  readonly adapter: string
  readonly device: string
  readonly steps: number
  readonly loss: number
  readonly validation_before: Validation | null
  readonly validation_after: Validation | null
  readonly trainable_parameters: number
  readonly base_parameters: number
  readonly elapsed_s: number
}

export default class Train extends BaseCommand {
  static override args = {
    recipe: Args.string({
      description: 'Path of a recipe, or the name of one that comes with mambatune.',
      required: true,
    }),
  }

  static override description =
    'Writes <out>/adapter, <out>/metrics.jsonl and <out>/recipe.resolved.yaml. Paths in a recipe are relative to the current directory.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> recipes/quickstart.yaml',
    '<%= config.bin %> <%= command.id %> mine.yaml --set train.batch_size=4 --set adapters.0.rank=8 --out runs/small',
  ]

  static override flags = {
    device: deviceFlag(),
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
    const loaded = await loadRecipe(await findRecipe(args.recipe), flags.set ?? [])
    const reporter = await this.progress()
    const {base, tokenizer} = loaded.recipe.model
    const located = await findModelAndTokenizer(base, {tokenizer}, reporter)
    const model = {...loaded.recipe.model, base: located.name}
    const recipe = {...loaded.recipe, model, ...(flags.out !== undefined && {output_dir: flags.out})}
    const progress = new RunProgress(reporter)
    const {dispose, signal} = interruptSignal()
    try {
      const summary = await runRecipe({
        device: flags.device,
        gpuMemory: flags['gpu-memory'] ?? null,
        place: {model: located.directory, tokenizer: located.tokenizer},
        recipe,
        report: (event) => progress.show(event),
        signal,
      })
      progress.finish()
      const report: TrainReport = {
        adapter: summary.adapter,
        base_parameters: summary.baseParameters,
        device: summary.device.name,
        elapsed_s: summary.last.elapsed_s,
        loss: summary.last.loss,
        out: summary.out,
        steps: summary.steps,
        trainable_parameters: summary.trainableParameters,
        validation_after: summary.after && pick(summary.after),
        validation_before: summary.before && pick(summary.before),
      }
      this.print(report, recipe.model.base)
      return report
    } finally {
      dispose()
    }
  }

  private print(report: TrainReport, base: string): void {
    const {adapter, elapsed_s: elapsed, loss, steps, validation_after: after, validation_before: before} = report
    this.out(`Trained ${steps} steps in ${formatDuration(elapsed)}; last training loss ${loss.toFixed(4)}.`)
    if (after && before) this.out(`Validation loss ${before.loss.toFixed(4)} → ${after.loss.toFixed(4)}.`)
    else if (after) this.out(`Validation loss ${after.loss.toFixed(4)}.`)
    this.out(`Adapter: ${adapter}`)
    this.out(`Try it:  mambatune generate ${base} --adapter ${adapter} --prompt '…'`)
  }
}

function pick({loss, perplexity}: Validation): Validation {
  return {loss, perplexity}
}

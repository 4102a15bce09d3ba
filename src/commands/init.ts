import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {deviceFlag, gpuMemoryFlag} from '../cli/device-flag.js'
import {type InitReport} from '../cli/wizard/init.js'
import {UsageError} from '../errors.js'
import {GOALS} from '../recipe/new/goals.js'
import {METHOD_PRESETS} from '../recipe/new/method-names.js'

export default class Init extends BaseCommand {
  static override args = {
    file: Args.string({description: 'Where to write the recipe, as mine.yaml; the name of the run, if left out.'}),
  }

  static override description =
    'Asks at most seven questions, each with a default from this machine and its files, and shows the recipe, what it takes, and the command that makes it again. Each answer has a flag, and is then not asked; with --yes nothing is. Nothing is written before the end, and nothing is written over.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --yes',
    '<%= config.bin %> <%= command.id %> mine.yaml --model models/tiny-mamba --data data/definitions.train.jsonl --budget 5m --yes --start',
  ]

  static override flags = {
    model: Flags.string({
      description: 'Model to start from: a directory, or owner/name on the Hugging Face hub.',
      helpValue: 'MODEL',
    }),
    data: Flags.string({
      description: 'Rows to train on: a file, a directory, or hub://owner/name.',
      helpValue: 'PATH',
    }),
    goal: Flags.option({
      description: 'What to learn. The format of the rows says which of these can be.',
      options: GOALS,
    })(),
    method: Flags.option({description: 'What is trained; docs/methods.md explains each.', options: METHOD_PRESETS})(),
    budget: Flags.string({
      description: 'How long: epochs, minutes or steps, as in 3epochs, 20m, 1.5h, 500steps.',
      helpValue: 'AMOUNT',
    }),
    validation: Flags.string({
      description: 'Rows to validate with: a share of the training rows such as 5%, a file, a directory, or none.',
      helpValue: 'SHARE|PATH|none',
    }),
    out: Flags.string({description: 'New directory for the run.', helpValue: 'DIR'}),
    yes: Flags.boolean({char: 'y', description: 'Take the defaults for all that has no flag, and save the recipe.'}),
    start: Flags.boolean({description: 'Train when the recipe is written.'}),
    measure: Flags.boolean({
      allowNo: true,
      default: true,
      description: 'Train a few steps on random weights, to tell how long the run will take.',
    }),
    device: deviceFlag(),
    'gpu-memory': gpuMemoryFlag,
  }

  static override summary = 'Make a recipe by answering a few questions.'

  async run(): Promise<InitReport> {
    const {args, flags} = await this.parse(Init)
    if (flags.start && this.jsonEnabled()) {
      throw new UsageError('--start prints a run, and --json a recipe.', {
        hint: 'Leave out --start, then: mambatune train FILE --json',
      })
    }
    const {init} = await import('../cli/wizard/init.js')
    const {isStarted, report, trainArguments} = await init({
      answers: flags,
      device: flags.device,
      file: args.file ?? null,
      gpuMemory: flags['gpu-memory'] ?? null,
      isJson: this.jsonEnabled(),
      measures: flags.measure,
      out: (text) => this.out(text),
      reporter: await this.progress(),
      starts: flags.start,
      takesDefaults: flags.yes,
    })
    if (isStarted) await this.config.runCommand('train', [...trainArguments])
    return report
  }
}

import {Args} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {findModel} from '../cli/locate-model.js'
import {type Inspection} from '../report/inspect.js'

export default class Inspect extends BaseCommand {
  static override args = {
    path: Args.string({
      description: 'Directory of a model, an adapter or a run, or the name of a model on the Hugging Face hub.',
      required: true,
    }),
  }

  static override description =
    'A model: sizes, number formats, fingerprint and the sites that adapters can be attached to. An adapter, ours or of Hugging Face PEFT: ' +
    'methods, trainable share, base, and whether it can be merged and exported. A run: recipe, losses and its adapter.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> models/tiny-mamba',
    '<%= config.bin %> <%= command.id %> runs/quickstart --json',
  ]

  static override summary = 'Describe a model, an adapter or a run.'

  async run(): Promise<Inspection> {
    const {args} = await this.parse(Inspect)
    const [{inspectionText}, {inspect}] = await Promise.all([
      import('../cli/inspect-text.js'),
      import('../report/inspect.js'),
    ])
    const progress = await this.progress()
    const {directory} = await findModel(args.path, progress)
    progress.step(`Reading ${args.path}`)
    const inspection = await inspect(directory)
    progress.stop()
    this.out(inspectionText(inspection))
    return inspection
  }
}

import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {findModel} from '../../cli/locate-model.js'
import {type AdapterDiff} from '../../report/adapter-diff.js'

export default class Diff extends BaseCommand {
  static override args = {
    a: Args.string({description: 'Directory of an adapter, ours or of Hugging Face PEFT.', required: true}),
    b: Args.string({description: 'Directory of another adapter of the same model.', required: true}),
  }

  static override description =
    'Settings that differ, and for each slice of each layer the norms of both updates, of what lies between them, and their cosine: 1 the same direction, 0 none in common.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/a/adapter runs/b/adapter',
    '<%= config.bin %> <%= command.id %> runs/a/adapter runs/b/adapter --json',
  ]

  static override flags = {
    model: Flags.string({
      description:
        'The base model, for methods whose updates are told from the weights: a directory, or a name on the hub.',
      helpValue: 'MODEL',
    }),
  }

  static override summary = 'Compare two adapters in settings and in what they add to the weights.'

  async run(): Promise<AdapterDiff> {
    const {args, flags} = await this.parse(Diff)
    const [{adapterDiff}, {diffText}] = await Promise.all([
      import('../../report/adapter-diff.js'),
      import('../../cli/adapter-text.js'),
    ])
    const progress = await this.progress()
    const model = flags.model === undefined ? null : await findModel(flags.model, progress)
    progress.step('Comparing')
    const diff = await adapterDiff(args.a, args.b, model)
    progress.stop()
    this.out(diffText(diff))
    return diff
  }
}

import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {findModel} from '../../cli/locate-model.js'
import {signsFor} from '../../cli/terminal.js'
import {type AdapterInfo} from '../../report/adapter-info.js'

export default class Info extends BaseCommand {
  static override args = {
    adapter: Args.string({description: 'Directory of the adapter, ours or of Hugging Face PEFT.', required: true}),
  }

  static override description =
    'Methods, ranks and targets, and the Frobenius norm of what the adapter adds to the weights, for each slice of each layer: as a table, ' +
    'and as a picture in which the darkest squares changed most. With --model also beside the norm of the weights themselves.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/quickstart/adapter',
    '<%= config.bin %> <%= command.id %> runs/quickstart/adapter --model models/tiny-mamba --picture norms.svg',
  ]

  static override flags = {
    model: Flags.string({
      description: 'The base model, whose weights the changes are set against: a directory, or a name on the hub.',
      helpValue: 'MODEL',
    }),
    picture: Flags.string({description: 'Also write the picture to this file, as SVG.', helpValue: 'FILE.svg'}),
  }

  static override summary = 'Show how much an adapter changes, layer by layer and slice by slice.'

  async run(): Promise<AdapterInfo> {
    const {args, flags} = await this.parse(Info)
    const [{adapterInfo}, {infoText}] = await Promise.all([
      import('../../report/adapter-info.js'),
      import('../../cli/adapter-text.js'),
    ])
    const progress = await this.progress()
    const model = flags.model === undefined ? null : await findModel(flags.model, progress)
    progress.step(`Reading ${args.adapter}`)
    const info = await adapterInfo(args.adapter, model)
    progress.stop()
    if (flags.picture !== undefined) await this.writePicture(info, flags.picture)
    this.out(infoText(info, signsFor(process.env, process.platform)))
    return info
  }

  private async writePicture(info: AdapterInfo, file: string): Promise<void> {
    const [{writeFileDurably}, {normPicture}, {gridOf}] = await Promise.all([
      import('../../checkpoint/output-directory.js'),
      import('../../report/norm-picture.js'),
      import('../../report/update-norms.js'),
    ])
    await writeFileDurably(file, normPicture(gridOf(info.parts), `What ${info.path} adds to ${info.base.path}`))
  }
}

import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {dataFlags, rowSettings} from '../../cli/data-flags.js'
import {findDataFiles} from '../../cli/locate-data.js'
import {findModelAndTokenizer} from '../../cli/locate-model.js'
import {count} from '../../cli/number-flags.js'
import {createStyle, hasColour} from '../../cli/terminal.js'
import {tokenizerFlag} from '../../cli/tokenizer-flag.js'
import {type DataPreview} from '../../report/preview-data.js'

export default class Preview extends BaseCommand {
  static override args = {
    path: Args.string({
      description: 'File, directory, or hub://owner/name; several may be given.',
      required: true,
    }),
  }

  static override description =
    'The first rows as tokens, after template, mask, end-of-sequence token and cutting. What is trained stands between ⟦ and ⟧.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> data/definitions.train.jsonl --model models/tiny-mamba',
    '<%= config.bin %> <%= command.id %> chats.jsonl --model models/tiny-mamba --template chatml --loss-on last --rows 1',
  ]

  static override flags = {
    'append-eos': Flags.boolean({
      allowNo: true,
      default: true,
      description: 'End every row with the end-of-sequence token.',
    }),
    'max-length': count({default: 1024, description: 'Longest sequence, in tokens; longer rows are cut.'}),
    model: Flags.string({
      description: 'Directory of a model, or its name on the hub: its tokenizer makes the tokens.',
      helpValue: 'MODEL',
      required: true,
    }),
    rows: count({default: 3, description: 'Rows to show.'}),
    tokenizer: tokenizerFlag,
    'train-on-eos': Flags.boolean({
      allowNo: true,
      default: true,
      description: 'Train end-of-sequence tokens within what is trained.',
    }),
    ...dataFlags,
  }

  static override strict = false

  static override summary = 'Show rows as the model will see them: tokens, and which of them are trained.'

  async run(): Promise<DataPreview> {
    const {argv, flags} = await this.parse(Preview)
    const [{previewText}, {loadTokenizer}, {previewData}] = await Promise.all([
      import('../../cli/preview-text.js'),
      import('../../data/tokenizer.js'),
      import('../../report/preview-data.js'),
    ])
    const progress = await this.progress()
    const files = await findDataFiles(argv as string[], progress)
    const located = await findModelAndTokenizer(flags.model, {small: true, tokenizer: flags.tokenizer}, progress)
    const settings = {
      ...rowSettings(flags),
      appendEos: flags['append-eos'],
      maxLength: flags['max-length'],
      trainOnEos: flags['train-on-eos'],
    }
    const preview = await previewData(files, await loadTokenizer(located.tokenizer), settings, flags.rows)
    progress.stop()
    this.out(previewText(preview, createStyle(hasColour(process.stdout, process.env))))
    return preview
  }
}

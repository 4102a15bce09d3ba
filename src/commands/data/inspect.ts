import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {dataFlags, rowSettings} from '../../cli/data-flags.js'
import {findDataFiles, storePlace} from '../../cli/locate-data.js'
import {findModelAndTokenizer} from '../../cli/locate-model.js'
import {signsFor} from '../../cli/terminal.js'
import {tokenizerFlag} from '../../cli/tokenizer-flag.js'
import {type DataInspection} from '../../report/inspect-data.js'

export default class Inspect extends BaseCommand {
  static override args = {
    path: Args.string({
      description: 'File, directory, or hub://owner/name; several may be given.',
      required: true,
    }),
  }

  static override description =
    'How the files are read and why, lengths, duplicates, the share of tokens that is trained, and what each max_length would cut. Faulty rows are listed; the exit code is 3 only if there are no others. Without --model lengths are characters.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> data/definitions.train.jsonl --model models/tiny-mamba',
    '<%= config.bin %> <%= command.id %> my-data/ --json',
  ]

  static override flags = {
    model: Flags.string({
      description: 'Directory of a model, or its name on the hub: its tokenizer makes the tokens.',
      helpValue: 'MODEL',
    }),
    tokenizer: tokenizerFlag,
    ...dataFlags,
  }

  static override strict = false

  static override summary = 'Say what data files hold, before anything is trained on them.'

  async run(): Promise<DataInspection> {
    const {argv, flags} = await this.parse(Inspect)
    const [{dataInspectionText}, {loadTokenizer}, {inspectData}] = await Promise.all([
      import('../../cli/data-inspect-text.js'),
      import('../../data/tokenizer.js'),
      import('../../report/inspect-data.js'),
    ])
    const progress = await this.progress()
    const files = await findDataFiles(argv as string[], progress)
    const model = flags.model ?? flags.tokenizer
    const located =
      model === undefined
        ? null
        : await findModelAndTokenizer(model, {small: true, tokenizer: flags.tokenizer}, progress)
    progress.step('Reading data')
    const tokenizer = located && (await loadTokenizer(located.tokenizer))
    const inspection = await inspectData(files, tokenizer, rowSettings(flags), storePlace())
    progress.stop()
    this.out(dataInspectionText(inspection, signsFor(process.env, process.platform)))
    return inspection
  }
}

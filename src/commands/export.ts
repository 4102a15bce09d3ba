import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {cardFlag, exportCard} from '../cli/card-flag.js'
import {findModel} from '../cli/locate-model.js'
import {UsageError} from '../errors.js'
import {type ModelExportReport} from '../model/export-model.js'
import {type ExportReport} from '../peft/export-adapter.js'
import {type LeftOut} from '../peft/export-format.js'

export default class Export extends BaseCommand {
  static override args = {
    path: Args.string({
      description:
        'Directory of an adapter, ours or of Hugging Face PEFT, or of a model, or the name of a model on the Hugging Face hub.',
      required: true,
    }),
  }

  static override description =
    'peft: what Hugging Face PEFT loads, which is LoRA on in_proj and x_proj. safetensors: all tensors in one file, with a README. ' +
    'state: the learned first states of scan and convolution. What a format cannot hold is listed, and refused without --partial. ' +
    'A model becomes safetensors in the layout of Hugging Face or of the authors of Mamba (--layout); no number of it changes.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/lora/adapter --format peft --out for-peft',
    '<%= config.bin %> <%= command.id %> runs/quickstart/adapter --format state --partial --out first-state',
    '<%= config.bin %> <%= command.id %> mamba-130m --format safetensors --layout hf --out mamba-130m-hf',
  ]

  static override flags = {
    'any-base': Flags.boolean({description: 'Accept a --base with other weights of the same shapes.'}),
    base: Flags.string({
      description: 'The base model, if it is no longer where the adapter says: a directory, or a name on the hub.',
      helpValue: 'MODEL',
    }),
    card: cardFlag,
    format: Flags.option({
      description: 'What to write.',
      options: ['peft', 'safetensors', 'state'] as const,
      required: true,
    })(),
    layout: Flags.option({
      description: 'Layout of a model: that of Hugging Face (the default), or the original one.',
      options: ['hf', 'original'] as const,
    })(),
    out: Flags.string({description: 'Directory for the result.', helpValue: 'DIR', required: true}),
    partial: Flags.boolean({description: 'Leave out what the format cannot hold.'}),
  }

  static override summary = 'Write an adapter or a model in a format of other programs.'

  async run(): Promise<ExportReport | ModelExportReport> {
    const {args, flags} = await this.parse(Export)
    const {isModelDirectory} = await import('../checkpoint/model-directory.js')
    const {format, layout, out, partial} = flags
    const reporter = await this.progress()
    const {directory} = await findModel(args.path, reporter)
    if (await isModelDirectory(directory)) return this.exportModel(directory)
    if (layout !== undefined) {
      throw new UsageError('--layout is for models, and this is none.', {
        hint: 'Leave --layout out, or merge the adapter first: mambatune merge --help',
      })
    }
    const {exportAdapter} = await import('../peft/export-adapter.js')
    const base = flags.base === undefined ? undefined : await findModel(flags.base, reporter)
    const report = await exportAdapter({
      adapter: args.path,
      anyBase: flags['any-base'],
      base,
      ...(flags.card && {
        card: (leftOut: readonly LeftOut[]) => exportCard({adapter: args.path, base, kind: format, leftOut}),
      }),
      format,
      out,
      partial,
    })
    this.out(`Wrote ${report.tensors} tensors to ${out}: ${report.files.join(', ')}.`)
    for (const {part, reason} of report.left_out) this.out(`Left out: ${part}. ${reason}.`)
    return report
  }

  private async exportModel(model: string): Promise<ModelExportReport> {
    const {flags} = await this.parse(Export)
    const {format, layout = 'hf', out} = flags
    const others = [flags.base && '--base', flags['any-base'] && '--any-base', flags.partial && '--partial'].filter(
      Boolean,
    )
    if (format !== 'safetensors' || others.length > 0) {
      throw new UsageError(
        `${[`--format ${format}`, ...others].join(', ')}: a model is exported as safetensors alone.`,
        {
          hint: 'Type: mambatune export MODEL --format safetensors --layout hf --out DIR',
        },
      )
    }
    const progress = await this.progress()
    progress.step(`Writing ${out}`)
    const {exportModel} = await import('../model/export-model.js')
    const report = await exportModel({layout, model, out})
    progress.stop()
    this.out(`Wrote ${report.tensors} tensors to ${out}: ${report.files.join(', ')}.`)
    return report
  }
}

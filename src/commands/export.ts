import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {cardFlag, exportCard} from '../cli/card-flag.js'
import {formatBytes} from '../cli/format.js'
import {findModel} from '../cli/locate-model.js'
import {tokenizerFlag} from '../cli/tokenizer-flag.js'
import {UsageError} from '../errors.js'
import {type GgufReport} from '../model/export-gguf.js'
import {type ModelExportReport} from '../model/export-model.js'
import {type ExportReport} from '../peft/export-adapter.js'
import {type LeftOut} from '../peft/export-format.js'
import {type GgufLoraReport} from '../peft/export-gguf-lora.js'
import {type MergedGgufReport} from '../peft/export-merged-gguf.js'

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
    'state: the learned first states of scan and convolution. ' +
    'gguf: a whole model for llama.cpp, tokenizer included; an adapter is merged into its base. gguf-lora: low-rank updates as llama.cpp loads them beside a base. What a format cannot hold is listed, and refused without --partial. ' +
    'A model becomes safetensors in the layout of Hugging Face or of the authors of Mamba (--layout); no number of it changes.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/lora/adapter --format peft --out for-peft',
    '<%= config.bin %> <%= command.id %> runs/quickstart/adapter --format state --partial --out first-state',
    '<%= config.bin %> <%= command.id %> models/tiny-mamba --format gguf --dtype q8_0 --out tiny-gguf',
    '<%= config.bin %> <%= command.id %> runs/lora/adapter --format gguf-lora --out lora-gguf',
    '<%= config.bin %> <%= command.id %> mamba-130m --format safetensors --layout hf --out mamba-130m-hf',
  ]

  static override flags = {
    'any-base': Flags.boolean({description: 'Accept a --base with other weights of the same shapes.'}),
    base: Flags.string({
      description: 'The base model, if it is no longer where the adapter says: a directory, or a name on the hub.',
      helpValue: 'MODEL',
    }),
    card: cardFlag,
    dtype: Flags.option({
      description: 'Number format of matrices in GGUF files: f16 by default, for gguf-lora f32.',
      options: ['f32', 'f16', 'bf16', 'q8_0'] as const,
    })(),
    format: Flags.option({
      description: 'What to write.',
      options: ['peft', 'safetensors', 'state', 'gguf', 'gguf-lora'] as const,
      required: true,
    })(),
    layout: Flags.option({
      description: 'Layout of a model: that of Hugging Face (the default), or the original one.',
      options: ['hf', 'original'] as const,
    })(),
    out: Flags.string({description: 'Directory for the result.', helpValue: 'DIR', required: true}),
    partial: Flags.boolean({description: 'Leave out what the format cannot hold.'}),
    tokenizer: tokenizerFlag,
  }

  static override summary = 'Write an adapter or a model in a format of other programs.'

  async run(): Promise<ExportReport | GgufLoraReport | GgufReport | MergedGgufReport | ModelExportReport> {
    const {args, flags} = await this.parse(Export)
    if (flags.format === 'gguf' || flags.format === 'gguf-lora') return this.exportGguf(flags.format)
    const unused = [flags.dtype && '--dtype', flags.tokenizer && '--tokenizer'].filter(Boolean)
    if (unused.length > 0) {
      throw new UsageError(`${unused.join(', ')}: for --format gguf and gguf-lora only.`, {
        hint: 'Leave it out; mambatune merge has a --dtype of its own.',
      })
    }
    const {isModelDirectory} = await import('../checkpoint/model-directory.js')
    const {layout, out, partial} = flags
    const {format} = flags
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

  /** A model, or an adapter with its base, for llama.cpp. */
  private async exportGguf(format: 'gguf' | 'gguf-lora'): Promise<GgufLoraReport | GgufReport | MergedGgufReport> {
    const {args, flags} = await this.parse(Export)
    if (flags.layout !== undefined) {
      throw new UsageError('--layout: GGUF has one layout only.', {hint: 'Leave --layout out.'})
    }
    const [{isModelDirectory}, {ggufExport}] = await Promise.all([
      import('../checkpoint/model-directory.js'),
      import('../cli/gguf-export.js'),
    ])
    const reporter = await this.progress()
    const {directory} = await findModel(args.path, reporter)
    const isModel = await isModelDirectory(directory)
    const report = await ggufExport({...flags, format, isModel, path: args.path}, reporter)
    reporter.stop()
    this.out(
      `Wrote ${report.tensors} tensors, ${formatBytes(report.bytes)}, to ${flags.out}: ${report.files.join(', ')}.`,
    )
    if ('left_out' in report) for (const {part, reason} of report.left_out) this.out(`Left out: ${part}. ${reason}.`)
    if ('differences' in report) for (const difference of report.differences) this.out(`Note: ${difference}.`)
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

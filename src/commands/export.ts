import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {type ExportReport} from '../peft/export-adapter.js'

export default class Export extends BaseCommand {
  static override args = {
    adapter: Args.string({description: 'Directory of the adapter, ours or of Hugging Face PEFT.', required: true}),
  }

  static override description =
    'peft: what Hugging Face PEFT loads, which is LoRA on in_proj and x_proj. safetensors: all tensors in one file, with a README. ' +
    'state: the learned first states of scan and convolution. What a format cannot hold is listed, and refused without --partial.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/lora/adapter --format peft --out for-peft',
    '<%= config.bin %> <%= command.id %> runs/quickstart/adapter --format state --partial --out first-state',
  ]

  static override flags = {
    'any-base': Flags.boolean({description: 'Accept a --base with other weights of the same shapes.'}),
    base: Flags.string({
      description: 'Directory of the base model, if it is no longer where the adapter says.',
      helpValue: 'MODEL',
    }),
    format: Flags.option({
      description: 'What to write.',
      options: ['peft', 'safetensors', 'state'] as const,
      required: true,
    })(),
    out: Flags.string({description: 'Directory for the result.', helpValue: 'DIR', required: true}),
    partial: Flags.boolean({description: 'Leave out what the format cannot hold.'}),
  }

  static override summary = 'Write an adapter in a format of other programs.'

  async run(): Promise<ExportReport> {
    const {args, flags} = await this.parse(Export)
    const {exportAdapter} = await import('../peft/export-adapter.js')
    const {base, format, out, partial} = flags
    const report = await exportAdapter({adapter: args.adapter, anyBase: flags['any-base'], base, format, out, partial})
    this.out(`Wrote ${report.tensors} tensors to ${out}: ${report.files.join(', ')}.`)
    for (const {part, reason} of report.left_out) this.out(`Left out: ${part}. ${reason}.`)
    return report
  }
}

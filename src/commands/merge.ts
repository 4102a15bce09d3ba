import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {cardFlag, mergeCard} from '../cli/card-flag.js'
import {deviceFlag} from '../cli/device-flag.js'
import {interruptSignal} from '../cli/interrupt.js'
import {findModel, findModelAndTokenizer} from '../cli/locate-model.js'
import {type Bar, type Reporter, type Step} from '../cli/reporter.js'
import {tokenizerFlag} from '../cli/tokenizer-flag.js'
import {type MergeEvent, type MergeReport} from '../peft/merge-adapter.js'

export default class Merge extends BaseCommand {
  static override args = {
    adapter: Args.string({description: 'Directory of the adapter, ours or of Hugging Face PEFT.', required: true}),
  }

  static override description =
    'Adds the updates to the weights, then runs base + adapter and the merged files on the same batches and compares logits and loss. ' +
    'The certificate is printed and stored as merge.json; above its tolerance nothing is written. Hugging Face transformers loads the result as it is.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/lora/adapter --base models/tiny-mamba --out merged',
    '<%= config.bin %> <%= command.id %> runs/quickstart/adapter --base models/tiny-mamba --out merged --partial --dtype f32',
  ]

  static override flags = {
    'any-base': Flags.boolean({
      description: 'Accept a base with other weights of the same shapes than the adapter was trained on.',
    }),
    base: Flags.string({
      description: 'The model that the adapter was trained on: a directory, or a name on the Hugging Face hub.',
      helpValue: 'MODEL',
      required: true,
    }),
    card: cardFlag,
    data: Flags.string({
      description: 'Compare on the rows of this file instead of random tokens.',
      helpValue: 'FILE',
    }),
    device: deviceFlag(),
    dtype: Flags.option({
      default: 'same',
      description: 'Number format of the merged weights; same keeps that of each tensor.',
      options: ['same', 'f32', 'bf16', 'f16'] as const,
    })(),
    out: Flags.string({description: 'Directory for the merged model.', helpValue: 'DIR', required: true}),
    tokenizer: tokenizerFlag,
    partial: Flags.boolean({
      description:
        'Parts without an exact merge (initial-state, state-offset) stay an adapter of the result, in DIR/adapter.',
    }),
    untie: Flags.boolean({
      description: 'Give a tied model a head of its own, for updates of one use of its embedding.',
    }),
  }

  static override summary = 'Merge an adapter into its base model, with a certificate.'

  async run(): Promise<MergeReport> {
    const {args, flags} = await this.parse(Merge)
    const [{mergeAdapter}, {probeBatches}, {sampleBatches}] = await Promise.all([
      import('../peft/merge-adapter.js'),
      import('../peft/probe-batches.js'),
      import('../peft/sample-batches.js'),
    ])
    const reporter = await this.progress()
    const progress = new MergeProgress(reporter)
    const base = await (flags.data === undefined
      ? findModel(flags.base, reporter)
      : findModelAndTokenizer(flags.base, {tokenizer: flags.tokenizer}, reporter))
    const {tokenizer} = base
    const sampled = flags.data === undefined || tokenizer === null ? null : await sampleBatches(tokenizer, flags.data)
    const {dispose, signal} = interruptSignal()
    try {
      const device = await this.startDevice(flags.device, {precision: 'f32'}) // or f16 rounding would hide a wrong merge
      reporter.note(`device ${device.description}`)
      const report = await mergeAdapter({
        adapter: args.adapter,
        anyBase: flags['any-base'],
        base: base.directory,
        baseName: base.name,
        ...(flags.card && {card: (report: MergeReport) => mergeCard(report, base.directory)}),
        batches: (vocabulary) => sampled ?? probeBatches(vocabulary),
        dtype: flags.dtype,
        out: flags.out,
        partial: flags.partial,
        report: (event) => progress.show(event),
        signal,
        untie: flags.untie,
      })
      progress.finish()
      this.print(report)
      return report
    } finally {
      dispose()
    }
  }

  private print(report: MergeReport): void {
    const scientific = (value: number): string => value.toExponential(1)
    const {left_as_adapter: kept, number_format: format} = report
    this.out(`Merged ${report.changed_tensors} tensors into ${report.out}.`)
    this.out(
      `Certificate: merged = attached on ${report.tokens} tokens. Logits differ by at most ${scientific(report.logits_difference)} ` +
        `of the largest (tolerance ${scientific(report.tolerance)}, ${format}; the adapter itself changes them by ${scientific(report.adapter_effect)}), the loss by ${scientific(report.loss_difference)}; ` +
        `${(100 * report.same_top_token).toFixed(1)} % of the most probable tokens are the same.`,
    )
    for (const caveat of report.caveats) this.out(`Note: ${caveat}.`)
    if (kept.length > 0) {
      this.out(`Not in the weights, kept as an adapter of the result in ${report.out}/adapter: ${kept.join(', ')}.`)
    }
  }
}

class MergeProgress {
  private step: Step | null = null
  private bar: Bar | null = null

  constructor(private readonly reporter: Reporter) {}

  show(event: MergeEvent): void {
    this.step?.done()
    this.step = null
    if (event.event === 'stage') {
      this.bar?.stop()
      this.bar = null
      this.step = this.reporter.step(event.text)
    } else {
      this.bar ??= this.reporter.bar(event.total, 'merging')
      this.bar.update({done: event.done})
    }
  }

  finish(): void {
    this.step?.done()
    this.reporter.stop()
  }
}

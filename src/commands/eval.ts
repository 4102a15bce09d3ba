import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {adapterFlags, adapterOptions} from '../cli/adapter-flags.js'
import {deviceFlag, gpuMemoryFlag, precisionFlag} from '../cli/device-flag.js'
import {formatCount} from '../cli/format.js'
import {interruptSignal} from '../cli/interrupt.js'
import {findModel, findModelAndTokenizer} from '../cli/locate-model.js'
import {count} from '../cli/number-flags.js'
import {tokenizerFlag} from '../cli/tokenizer-flag.js'
import {type Evaluation} from '../train/evaluate.js'

export default class Eval extends BaseCommand {
  static override args = {
    model: Args.string({description: 'Directory of the model, or its name on the Hugging Face hub.', required: true}),
  }

  static override description =
    'The loss is the mean over all supervised tokens, in nats, as transformers computes it; perplexity is e to that power.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> models/tiny-mamba --data data/definitions.validation.jsonl',
    '<%= config.bin %> <%= command.id %> models/tiny-mamba --adapter runs/quickstart/adapter --data data/definitions.validation.jsonl --json',
  ]

  static override flags = {
    ...adapterFlags,
    'append-eos': Flags.boolean({
      allowNo: true,
      default: true,
      description: 'End every row with the end-of-sequence token.',
    }),
    'batch-size': count({default: 8, description: 'Rows at once; it changes speed and memory, never the result.'}),
    data: Flags.string({
      description: 'File to evaluate on (.jsonl, .json, .txt). May be given several times.',
      helpValue: 'FILE',
      multiple: true,
      required: true,
    }),
    device: deviceFlag(),
    'gpu-memory': gpuMemoryFlag,
    precision: precisionFlag(),
    format: Flags.option({
      default: 'auto',
      description: 'What a row is; auto tells it from the first row.',
      options: ['auto', 'prompt_completion', 'text', 'tokens'] as const,
    })(),
    'loss-on': Flags.option({
      default: 'auto',
      description: 'Which tokens count; auto follows the format.',
      options: ['auto', 'completion', 'all', 'labelled'] as const,
    })(),
    tokenizer: tokenizerFlag,
    'max-length': count({default: 1024, description: 'Longest sequence, in tokens; longer rows are cut.'}),
  }

  static override summary = 'Measure loss and perplexity of a model, with or without an adapter.'

  async run(): Promise<Evaluation> {
    const {args, flags} = await this.parse(Eval)
    const [{readDataset}, {loadTokenizer}, {attachModel}, {checkVocabulary}, {evaluate}] = await Promise.all([
      import('../data/rows.js'),
      import('../data/tokenizer.js'),
      import('../peft/attached-model.js'),
      import('../recipe/check-vocabulary.js'),
      import('../train/evaluate.js'),
    ])
    const progress = await this.progress()
    const model = await (flags.format === 'tokens'
      ? findModel(args.model, progress)
      : findModelAndTokenizer(args.model, {tokenizer: flags.tokenizer}, progress))
    const {dispose, signal} = interruptSignal()
    const step = progress.step('Reading data')
    const tokenizer = model.tokenizer === null ? null : await loadTokenizer(model.tokenizer)
    const dataset = await readDataset(flags.data, tokenizer, {
      appendEos: flags['append-eos'],
      format: flags.format,
      lossOn: flags['loss-on'],
      maxLength: flags['max-length'],
    })
    step.update('Loading model')
    const device = await this.startDevice(flags.device, {
      gpuMemory: flags['gpu-memory'] ?? null,
      precision: flags.precision,
    })
    const attached = await attachModel({...adapterOptions(flags), model: model.directory})
    step.done(`${formatCount(dataset.examples.length)} rows (${dataset.format}), loss on ${dataset.lossOn}`)
    progress.note(`device ${device.description}`)
    for (const note of dataset.notes) progress.note(note)
    try {
      checkVocabulary(attached.model.config.vocabulary, [dataset])
      const bar = progress.bar(dataset.examples.length, 'evaluating')
      const result = await evaluate(attached, dataset.examples, {
        batchSize: flags['batch-size'],
        report: (done) => bar.update({done}),
        signal,
      })
      bar.stop()
      this.out(`loss        ${result.loss.toFixed(4)}`)
      this.out(`perplexity  ${result.perplexity.toFixed(3)}`)
      this.out(
        `tokens      ${formatCount(result.tokens)}, of which ${formatCount(result.supervised_tokens)} supervised`,
      )
      return result
    } catch (error) {
      const [{largestBatch, placeOf}, {explainEvaluation, memoryContext}] = await Promise.all([
        import('../train/largest-batch.js'),
        import('../train/memory-explained.js'),
      ])
      const shape = {
        adapters: attached.adapters.settings,
        checkpointing: 'none' as const,
        config: attached.model.config,
        ...placeOf(device.name),
        ...largestBatch(dataset.examples, flags['batch-size']),
      }
      throw await explainEvaluation(error, shape, await memoryContext(device))
    } finally {
      attached.dispose()
      dispose()
    }
  }
}

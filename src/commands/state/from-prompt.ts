import {readFile} from 'node:fs/promises'
import {Args, Flags} from '@oclif/core'
import {adapterFlags, adapterOptions} from '../../cli/adapter-flags.js'
import {BaseCommand} from '../../cli/base-command.js'
import {deviceFlag, gpuMemoryFlag, precisionFlag} from '../../cli/device-flag.js'
import {formatCount} from '../../cli/format.js'
import {interruptSignal} from '../../cli/interrupt.js'
import {findModelAndTokenizer} from '../../cli/locate-model.js'
import {tokenizerFlag} from '../../cli/tokenizer-flag.js'
import {FileError, UsageError} from '../../errors.js'
import {type KeptState} from '../../peft/kept-state.js'

interface PromptState extends KeptState {
  readonly tokens: number
}

export default class StateFromPrompt extends BaseCommand {
  static override args = {
    model: Args.string({description: 'Directory of the model, or its name on the Hugging Face hub.', required: true}),
  }

  static override description =
    'Reads a text once and keeps the state of every layer, of scan and convolution, as an initial-state adapter. With it the model continues as if it had just read the text, ' +
    'and pays nothing for its length. The state of a model with an adapter is kept with that adapter.'

  static override examples = [
    `<%= config.bin %> <%= command.id %> models/tiny-mamba --prompt 'Define the noun "anchor".' --out states/anchor`,
    '<%= config.bin %> <%= command.id %> models/tiny-mamba --file manual.txt --out states/manual',
    `<%= config.bin %> generate models/tiny-mamba --adapter states/manual --prompt 'Question: '`,
  ]

  static override flags = {
    ...adapterFlags,
    device: deviceFlag(),
    file: Flags.string({
      description: 'File with the text, UTF-8; it is read as it is.',
      exclusive: ['prompt'],
      helpValue: 'FILE',
    }),
    'gpu-memory': gpuMemoryFlag,
    out: Flags.string({char: 'o', description: 'Directory for the adapter.', helpValue: 'DIR', required: true}),
    precision: precisionFlag(),
    prompt: Flags.string({char: 'p', description: 'The text.', helpValue: 'TEXT'}),
    tokenizer: tokenizerFlag,
  }

  static override summary = 'Read a text once and keep the state as an adapter.'

  async run(): Promise<PromptState> {
    const {args, flags} = await this.parse(StateFromPrompt)
    const text = await textFrom(flags)
    const [{loadTokenizer}, {attachModel}, {saveState}, {promptState}] = await Promise.all([
      import('../../data/tokenizer.js'),
      import('../../peft/attached-model.js'),
      import('../../peft/kept-state.js'),
      import('../../peft/prompt-state.js'),
    ])
    const progress = await this.progress()
    const model = await findModelAndTokenizer(args.model, {tokenizer: flags.tokenizer}, progress)
    const step = progress.step(`Loading ${args.model}`)
    const ids = (await loadTokenizer(model.tokenizer)).encode(text)
    const device = await this.startDevice(flags.device, {
      gpuMemory: flags['gpu-memory'] ?? null,
      precision: flags.precision,
    })
    const attached = await attachModel({...adapterOptions(flags), model: model.directory})
    step.done(`Loaded ${args.model} on ${device.description}`)
    const {dispose, signal} = interruptSignal()
    try {
      const bar = progress.bar(ids.length, 'reading')
      const values = await promptState(attached, ids, {report: (done) => bar.update({done}), signal})
      bar.stop()
      const kept = await saveState(flags.out, attached, model.name, values)
      this.out(
        `Read ${formatCount(ids.length)} tokens; kept the state of ${kept.layers} layers in ${kept.out}, ${formatCount(kept.numbers)} numbers.`,
      )
      this.out(`Continue from it with: mambatune generate ${args.model} --adapter ${kept.out} --prompt 'TEXT'`)
      return {...kept, tokens: ids.length}
    } finally {
      attached.dispose()
      dispose()
    }
  }
}

async function textFrom({file, prompt}: {file?: string | undefined; prompt?: string | undefined}): Promise<string> {
  if (prompt !== undefined) return prompt
  if (file === undefined) throw new UsageError('There is no text.', {hint: "Add --prompt 'TEXT' or --file FILE."})
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FileError(`${file} cannot be read.`, {cause, hint: 'Give the path of a text file.'})
  })
}

import {Args, Flags} from '@oclif/core'
import {type ChatInput} from '../cli/chat/chat-input.js'
import {type ChatReport, type StartedChat} from '../cli/chat/start-chat.js'
import {BaseCommand} from '../cli/base-command.js'
import {adapterFlags} from '../cli/adapter-flags.js'
import {deviceFlag, gpuMemoryFlag, precisionFlag} from '../cli/device-flag.js'
import {findModelAndTokenizer} from '../cli/locate-model.js'
import {count} from '../cli/number-flags.js'
import {samplingFlags} from '../cli/sampling-flags.js'
import {tokenizerFlag} from '../cli/tokenizer-flag.js'
import {UsageError} from '../errors.js'

export default class Chat extends BaseCommand {
  static override args = {
    model: Args.string({description: 'Directory of the model, or its name on the Hugging Face hub.', required: true}),
  }

  static override description =
    'Answers appear as they are made, and the whole history is one state of constant size. /help lists the commands; Ctrl+C stops an answer, twice leaves. Without a terminal each line of standard input is a turn or a command, and the answers go to standard output. The chat template of the tokenizer is used where there is one; else the model continues what is typed.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> models/tiny-mamba',
    '<%= config.bin %> <%= command.id %> models/tiny-mamba --adapter runs/quickstart/adapter --compare base',
    `$ echo 'Define the noun "anchor".' | <%= config.bin %> <%= command.id %> models/tiny-mamba --adapter runs/quickstart/adapter`,
  ]

  static override flags = {
    adapter: Flags.string({
      description: 'Directory of an adapter, ours or of Hugging Face PEFT. The first one answers; /adapter changes it.',
      helpValue: 'DIR',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'any-base': adapterFlags['any-base'],
    compare: Flags.string({
      description: 'Let the model without adapters (base), or with another one, answer every turn too.',
      helpValue: 'base|DIR',
    }),
    device: deviceFlag(),
    'gpu-memory': gpuMemoryFlag,
    precision: precisionFlag(),
    'max-new-tokens': count({default: 256, description: 'End an answer after this many tokens.'}),
    resume: Flags.string({description: 'Go on with a conversation that /save has written.', helpValue: 'FILE'}),
    ...samplingFlags,
    system: Flags.string({description: 'Text that stands before the conversation.', helpValue: 'TEXT'}),
    template: Flags.string({
      default: 'auto',
      description:
        'How turns are written as text. auto: by the chat template of the tokenizer if it has one; continue: as they are typed; or as data.template of the recipe has it: chatml, alpaca, plain, tokenizer, or a file of Jinja.',
      helpValue: 'NAME',
    }),
    tokenizer: tokenizerFlag,
  }

  static override summary = 'Talk with a model and its adapters.'

  async run(): Promise<ChatReport> {
    const {args, flags} = await this.parse(Chat)
    if (flags.stop?.includes('')) throw new UsageError('--stop is empty, expected a text that ends an answer.')
    const adapters = [...new Set(flags.adapter)]
    if (flags.compare === 'base' && adapters.length === 0) {
      throw new UsageError('There is nothing to compare base with.', {hint: 'Add --adapter DIR.'})
    }
    const {startChat} = await import('../cli/chat/start-chat.js')
    const progress = await this.progress()
    const model = await findModelAndTokenizer(args.model, {tokenizer: flags.tokenizer}, progress)
    const step = progress.step(`Loading ${args.model}`)
    const device = await this.startDevice(flags.device, {
      gpuMemory: flags['gpu-memory'] ?? null,
      precision: flags.precision,
    })
    const isTerminal = process.stdin.isTTY && process.stderr.isTTY && !this.jsonEnabled()
    const chat = await startChat({
      adapters,
      anyBase: flags['any-base'],
      compare: flags.compare ?? null,
      directory: model.directory,
      isTerminal,
      name: args.model,
      resume: flags.resume ?? null,
      settings: {
        max_new_tokens: flags['max-new-tokens'],
        repetition_penalty: flags['repetition-penalty'],
        seed: flags.seed,
        temperature: flags.temperature,
        top_k: flags['top-k'] ?? null,
        top_p: flags['top-p'],
      },
      stop: flags.stop ?? [],
      system: flags.system ?? null,
      template: flags.template,
      tokenizer: model.tokenizer,
      write: (text) => this.write(text),
    })
    try {
      step.done(`Loaded ${args.model} on ${device.description}`)
      for (const line of chat.opening) progress.note(line)
      await this.talk(chat, isTerminal)
      return chat.report()
    } finally {
      chat.dispose()
    }
  }

  private async talk(chat: StartedChat, isTerminal: boolean): Promise<void> {
    const {pipedInput, terminalInput} = await import('../cli/chat/chat-input.js')
    const input: ChatInput = isTerminal
      ? terminalInput(process.stdin, process.stderr, {completer: (line) => chat.session.complete(line), prompt: '> '})
      : pipedInput(process.stdin)
    try {
      const {converse} = await import('../cli/chat/converse.js')
      const exit = await converse(chat, input, {host: process, isTerminal})
      if (exit !== null) process.exitCode = exit
    } finally {
      input.close()
    }
  }
}

import {text as readAll} from 'node:stream/consumers'
import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {adapterFlags, adapterOptions} from '../cli/adapter-flags.js'
import {deviceFlag, gpuMemoryFlag, precisionFlag} from '../cli/device-flag.js'
import {interruptSignal} from '../cli/interrupt.js'
import {findModelAndTokenizer} from '../cli/locate-model.js'
import {count, nonNegative, seed, share} from '../cli/number-flags.js'
import {tokenizerFlag} from '../cli/tokenizer-flag.js'
import {UsageError} from '../errors.js'
import {type Generation} from '../peft/generate.js'

export default class Generate extends BaseCommand {
  static override args = {
    model: Args.string({description: 'Directory of the model, or its name on the Hugging Face hub.', required: true}),
    stdin: Args.string({description: 'Reads the prompt from standard input, as it is.', options: ['-']}),
  }

  static override description =
    'The text appears as it is made. State is carried from token to token, so time and memory for a token do not grow with the length.'

  static override examples = [
    `<%= config.bin %> <%= command.id %> models/tiny-mamba --prompt 'Define the noun "anchor".'`,
    '$ cat question.txt | <%= config.bin %> <%= command.id %> models/tiny-mamba --adapter runs/quickstart/adapter -',
  ]

  static override flags = {
    ...adapterFlags,
    device: deviceFlag(),
    'gpu-memory': gpuMemoryFlag,
    precision: precisionFlag(),
    'max-new-tokens': count({default: 64, description: 'Stop after this many new tokens.'}),
    prompt: Flags.string({
      char: 'p',
      description: 'Text to continue. Asked for on a terminal when absent.',
      helpValue: 'TEXT',
    }),
    seed: seed({default: 0, description: 'Seed of the sampling; the same one repeats the text.'}),
    stop: Flags.string({
      description: 'End before this text. May be given several times.',
      helpValue: 'TEXT',
      multiple: true,
      multipleNonGreedy: true,
    }),
    tokenizer: tokenizerFlag,
    temperature: nonNegative({
      default: 0,
      description: '0 always takes the most probable token; 1 samples as the model says.',
    }),
    'top-k': count({description: 'Sample from the K most probable tokens only.'}),
    'top-p': share({
      default: 1,
      description: 'Sample from the most probable tokens that together have this probability.',
    }),
  }

  static override summary = 'Continue a text.'

  async run(): Promise<Generation> {
    const {args, flags} = await this.parse(Generate)
    if (flags.stop?.includes('')) throw new UsageError('--stop is empty, expected a text that ends the generation.')
    const prompt = await this.promptFrom(args.stdin, flags.prompt)
    const [{loadTokenizer}, {attachModel}, {generate}] = await Promise.all([
      import('../data/tokenizer.js'),
      import('../peft/attached-model.js'),
      import('../peft/generate.js'),
    ])
    const progress = await this.progress()
    const model = await findModelAndTokenizer(args.model, {tokenizer: flags.tokenizer}, progress)
    const step = progress.step(`Loading ${args.model}`)
    const tokenizer = await loadTokenizer(model.tokenizer)
    const device = await this.startDevice(flags.device, {
      gpuMemory: flags['gpu-memory'] ?? null,
      precision: flags.precision,
    })
    const attached = await attachModel({...adapterOptions(flags), model: model.directory})
    step.done(`Loaded ${args.model} on ${device.description}`)
    const {dispose, signal} = interruptSignal()
    try {
      const result = await generate(attached, tokenizer, prompt, {
        maxNewTokens: flags['max-new-tokens'],
        onText: (piece) => this.write(piece),
        seed: flags.seed,
        signal,
        stop: flags.stop ?? [],
        temperature: flags.temperature,
        topK: flags['top-k'] ?? null,
        topP: flags['top-p'],
      })
      this.out()
      return result
    } finally {
      attached.dispose()
      dispose()
    }
  }

  private async promptFrom(stdin: string | undefined, prompt: string | undefined): Promise<string> {
    if (stdin !== undefined && prompt !== undefined) throw new UsageError('Give either --prompt or -, not both.')
    if (prompt !== undefined) return prompt
    if (stdin !== undefined) return readAll(process.stdin)
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      throw new UsageError('There is no prompt.', {hint: "Add --prompt 'TEXT', or - to read it from standard input."})
    }
    const {input} = await import('@inquirer/prompts')
    return input({message: 'Prompt', required: true}, {output: process.stderr})
  }
}

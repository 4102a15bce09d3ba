import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {deviceFlag, precisionFlag} from '../../cli/device-flag.js'
import {formatCount} from '../../cli/format.js'
import {findModel} from '../../cli/locate-model.js'
import {type KeptState} from '../../peft/kept-state.js'

interface AffixState extends KeptState {
  readonly kind: string
  /** Of each layer */
  readonly vectors: number
}

export default class StateFromAffix extends BaseCommand {
  static override args = {
    model: Args.string({description: 'Directory of the model, or its name on the Hugging Face hub.', required: true}),
    file: Args.string({
      description:
        'The vectors, as .safetensors or .bin: one tensor for all layers, or one for each, named layers.0, layers.1, …',
      required: true,
    }),
  }

  static override description =
    'Vectors that are put before every sequence do nothing to what follows but leave a state, in every layer the same. This runs them once and keeps that state: no tokens, no time at each use. ' +
    'affix: behind in_proj, (n, 2E) a layer, in Mamba-1 also x alone, (n, E). prefix: before in_proj, (n, d) a layer. prompt: before the first layer, (n, d), as the prompt tuning of Hugging Face PEFT.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> models/tiny-mamba affix.safetensors --out states/affix',
    '<%= config.bin %> <%= command.id %> models/tiny-mamba prompt-tuning/adapter_model.safetensors --kind prompt --out states/prompt',
  ]

  static override flags = {
    device: deviceFlag(),
    kind: Flags.option({
      default: 'affix',
      description: 'Where the vectors stand.',
      options: ['affix', 'prefix', 'prompt'] as const,
    })(),
    out: Flags.string({char: 'o', description: 'Directory for the adapter.', helpValue: 'DIR', required: true}),
    precision: precisionFlag(),
  }

  static override summary = 'Turn an affix, a prefix or a soft prompt into an initial-state adapter.'

  async run(): Promise<AffixState> {
    const {args, flags} = await this.parse(StateFromAffix)
    const [{readWeightHeader}, {attachModel}, {affixState}, {readAffix}, {saveState, stateValues}, {disposeState}] =
      await Promise.all([
        import('../../checkpoint/weight-files.js'),
        import('../../peft/attached-model.js'),
        import('../../peft/affix-state.js'),
        import('../../peft/affix-tensors.js'),
        import('../../peft/kept-state.js'),
        import('../../model/read-on.js'),
      ])
    const progress = await this.progress()
    const header = await readWeightHeader(args.file)
    const model = await findModel(args.model, progress)
    const step = progress.step(`Loading ${args.model}`)
    const device = await this.startDevice(flags.device, {precision: flags.precision})
    const attached = await attachModel({model: model.directory})
    step.done(`Loaded ${args.model} on ${device.description}`)
    try {
      const vectors = await readAffix(header, flags.kind, attached.model.config, args.file)
      const state = affixState(attached.model, flags.kind, vectors)
      const values = await stateValues(state, attached.model.config).finally(() => disposeState(state))
      const kept = await saveState(flags.out, attached, model.name, values)
      this.out(
        `Ran ${vectors.length} vectors; kept the state of ${kept.layers} layers in ${kept.out}, ${formatCount(kept.numbers)} numbers.`,
      )
      return {...kept, kind: flags.kind, vectors: vectors.length}
    } finally {
      attached.dispose()
    }
  }
}

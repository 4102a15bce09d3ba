import {Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {benchText} from '../cli/bench-text.js'
import {deviceFlag, precisionFlag} from '../cli/device-flag.js'
import {count} from '../cli/number-flags.js'
import {UsageError} from '../errors.js'
import {PRESETS} from '../model/presets.js'
import {type BenchmarkOptions, type BenchReport} from '../report/benchmark.js'

export default class Bench extends BaseCommand {
  static override description =
    'Weights and tokens are random and made on the device, so nothing is downloaded. A training step is forward, backward, clipping and the update of the adapters; the figure is the median step.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --preset tiny --batch 2 --length 64',
    '<%= config.bin %> <%= command.id %> --preset mamba-130m --batch 8 --length 512 --profile',
    '<%= config.bin %> <%= command.id %> --preset tiny --recipe quickstart',
    '<%= config.bin %> <%= command.id %> --preset mamba-2.8b --mode decode --batch 1 --json',
  ]

  static override flags = {
    preset: Flags.option({
      default: 'mamba-130m',
      description: 'Shape of the model.',
      options: PRESETS,
    })(),
    mode: Flags.option({
      default: 'train',
      description: 'What a step is: training, a forward pass with its loss, or making one token after another.',
      options: ['train', 'forward', 'decode'] as const,
    })(),
    batch: count({default: 8, description: 'Sequences at once.'}),
    length: count({default: 512, description: 'Tokens in a sequence; with --mode decode, tokens made for each.'}),
    method: Flags.option({
      default: 'lora',
      description: 'What is trained.',
      options: ['lora', 'initial-state', 'none'] as const,
    })(),
    targets: Flags.string({
      description:
        'Projections that LoRA updates, with commas between them. Default: in_proj,x_proj; of a Mamba-2 model in_proj.',
      helpValue: 'NAMES',
    }),
    rank: count({default: 16, description: 'Rank of LoRA.'}),
    recipe: Flags.string({
      description:
        'Take adapters, rows and tokens of a training step from this recipe; the shape stays that of --preset.',
      exclusive: ['batch', 'length', 'method', 'rank', 'targets'],
      helpValue: 'RECIPE',
    }),
    steps: count({default: 6, description: 'Steps that are measured.'}),
    warmup: count({default: 3, description: 'Steps before them.'}),
    checkpointing: Flags.option({
      default: 'none',
      description: 'Whether the backward pass computes the activations of each block again.',
      options: ['none', 'block'] as const,
    })(),
    profile: Flags.boolean({description: 'Add the time of each kernel in one more step (GPU only).'}),
    device: deviceFlag(),
    precision: precisionFlag(),
  }

  static override summary = 'Measure speed and memory on this machine, without a checkpoint.'

  async run(): Promise<BenchReport> {
    const {flags} = await this.parse(Bench)
    const [{presetConfig}, {benchmark}, {benchAdapters}] = await Promise.all([
      import('../model/presets.js'),
      import('../report/benchmark.js'),
      import('../report/bench-adapters.js'),
    ])
    const {mode, preset} = flags
    if (flags.recipe !== undefined && mode !== 'train') {
      throw new UsageError(`--recipe says what a training step is, and --mode is ${mode}.`, {
        hint: 'Leave one of them out; --batch and --length go with every mode.',
      })
    }
    const config = presetConfig(preset)
    const {adapters, batch, length} =
      flags.recipe === undefined
        ? {...flags, adapters: mode === 'train' ? benchAdapters(flags, config.architecture) : []}
        : await this.stepOf(flags.recipe)
    const progress = await this.progress()
    const device = await this.startDevice(flags.device, {precision: flags.precision})
    progress.note(`device ${device.description}`)
    const bar = progress.bar(flags.warmup + flags.steps, 'measuring')
    const result = await benchmark({
      adapters,
      batch,
      config,
      length,
      mode,
      profile: flags.profile,
      recompute: flags.checkpointing === 'block',
      report: (done) => bar.update({done}),
      steps: flags.steps,
      warmup: flags.warmup,
    })
    bar.stop()
    const report: BenchReport = {...result, batch, device: device.description, length, mode, preset}
    this.out(benchText(report))
    return report
  }

  /** What a recipe does in a step. */
  private async stepOf(name: string): Promise<Pick<BenchmarkOptions, 'adapters' | 'batch' | 'length'>> {
    const [{loadRecipe}, {findRecipe}] = await Promise.all([
      import('../recipe/load.js'),
      import('../recipe/packaged.js'),
    ])
    const {recipe} = await loadRecipe(await findRecipe(name), [], process.env)
    return {adapters: recipe.adapters, batch: recipe.train.batch_size, length: recipe.data.max_length}
  }
}

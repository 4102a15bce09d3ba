import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {deviceFlag, gpuMemoryFlag} from '../cli/device-flag.js'
import {findData} from '../cli/locate-data.js'
import {findModelAndTokenizer} from '../cli/locate-model.js'
import {setFlag} from '../cli/set-flag.js'
import {type PlanQuestion} from '../report/plan-question.js'
import {type PlannedRun, type RunPlan} from '../report/plan.js'

export default class Plan extends BaseCommand {
  static override args = {
    recipe: Args.string({
      description: 'Path of a recipe, or the name of one that comes with mambatune.',
      required: true,
    }),
  }

  static override description =
    "Parameters, steps and memory, from the recipe, the model's config.json and the data. No weights are read and no GPU is needed. " +
    'Memory is that of the largest step at its fullest moment; --measure runs such a step on random tokens and prints what it took beside it.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> quickstart',
    '<%= config.bin %> <%= command.id %> mine.yaml --set train.batch_size=32 --device gpu --gpu-memory 24',
    '<%= config.bin %> <%= command.id %> mine.yaml --measure --json',
  ]

  static override flags = {
    device: deviceFlag(),
    'gpu-memory': gpuMemoryFlag,
    measure: Flags.boolean({description: 'Load the weights and measure one real step (GPU only).'}),
    set: Flags.string({
      description: 'Change a value of the recipe. May be given several times.',
      ...setFlag,
    }),
  }

  static override summary = 'Say what training by a recipe will take, before it starts.'

  async run(): Promise<RunPlan> {
    const {args, flags} = await this.parse(Plan)
    const [{planText}, {loadRecipe}, {findRecipe}, {planRun}] = await Promise.all([
      import('../cli/plan-text.js'),
      import('../recipe/load.js'),
      import('../recipe/packaged.js'),
      import('../report/plan.js'),
    ])
    const {recipe} = await loadRecipe(await findRecipe(args.recipe), flags.set ?? [], process.env)
    const progress = await this.progress()
    const {base, tokenizer} = recipe.model
    const {directory, ...located} = await findModelAndTokenizer(base, {small: !flags.measure, tokenizer}, progress)
    progress.step('Reading data')
    const place = {data: await findData(recipe, progress), model: directory, tokenizer: located.tokenizer}
    const question = {device: flags.device, gpuMemory: flags['gpu-memory'] ?? null, place, recipe}
    const planned = await planRun(question)
    const plan = flags.measure ? await this.measure(planned, question) : planned.plan
    progress.stop()
    this.out(planText(plan))
    return plan
  }

  private async measure({plan, shape}: PlannedRun, question: PlanQuestion): Promise<RunPlan> {
    const {measurePlan} = await import('../report/measure-step.js')
    const progress = await this.progress()
    progress.step(`Measuring a step of ${shape.rows} × ${shape.length} tokens`)
    return {...plan, measured: await measurePlan(shape, question)}
  }
}

import {Args, Flags} from '@oclif/core'

import {BaseCommand} from '../../cli/base-command.js'
import {setFlag} from '../../cli/set-flag.js'
import {loadRecipe} from '../../recipe/load.js'
import {findRecipe} from '../../recipe/packaged.js'
import {readRecipeText} from '../../recipe/recipe-text.js'
import {resolvedYaml} from '../../recipe/resolved.js'
import {type Recipe} from '../../recipe/schema.js'

interface ShownRecipe {
  readonly file: string
  /** The YAML that is printed without --json. */
  readonly text: string
  /** Every value; only with --resolved or --set. */
  readonly recipe?: Recipe
}

export default class RecipeShow extends BaseCommand {
  static override args = {
    recipe: Args.string({
      description: 'Name of a recipe that comes with mambatune, or path of a file.',
      required: true,
    }),
  }

  static override description =
    'Without flags the file is printed as it is, comments included, ready to be copied and changed. With --resolved what it extends is filled in too.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> quickstart > mine.yaml',
    '<%= config.bin %> <%= command.id %> mine.yaml --resolved --set train.batch_size=4',
  ]

  static override flags = {
    resolved: Flags.boolean({description: 'Check the recipe and print it with every value filled in.'}),
    set: Flags.string({
      description: 'Change a value before printing; implies --resolved. May be given several times.',
      ...setFlag,
    }),
  }

  static override summary = 'Print a recipe.'

  async run(): Promise<ShownRecipe> {
    const {args, flags} = await this.parse(RecipeShow)
    const file = await findRecipe(args.recipe)
    const shown =
      flags.resolved || flags.set !== undefined
        ? await this.#resolved(file, flags.set)
        : {file, text: await readRecipeText(file)}
    this.out(shown.text.trimEnd())
    return shown
  }

  async #resolved(file: string, overrides: readonly string[] = []): Promise<ShownRecipe> {
    const {recipe} = await loadRecipe(file, overrides, process.env)
    return {file, recipe, text: resolvedYaml(recipe)}
  }
}

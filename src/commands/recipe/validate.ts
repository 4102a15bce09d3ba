import {Args, Flags} from '@oclif/core'

import {BaseCommand} from '../../cli/base-command.js'
import {setFlag} from '../../cli/set-flag.js'
import {type LoadedRecipe} from '../../recipe/load.js'
import {validateRecipes} from '../../recipe/validate.js'

export default class RecipeValidate extends BaseCommand {
  static override args = {
    recipe: Args.string({
      description: 'Path of a recipe, or name of one that comes with mambatune; one or more.',
      multiple: true,
      required: true,
    }),
  }

  static override description =
    'Every fault of every file is listed with its line and column, and the exit code is 3 if there is one. The model and the data are not opened.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> mine.yaml',
    '<%= config.bin %> <%= command.id %> recipes/*.yaml --json',
  ]

  static override flags = {
    set: Flags.string({
      description: 'Change a value before checking. May be given several times.',
      ...setFlag,
    }),
  }

  static override summary = 'Check recipes.'

  async run(): Promise<{recipes: LoadedRecipe[]}> {
    const {args, flags} = await this.parse(RecipeValidate)
    const recipes = await validateRecipes(args.recipe, flags.set, process.env)
    for (const {file} of recipes) this.out(`${file}: valid`)
    return {recipes}
  }
}

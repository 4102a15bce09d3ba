import {BaseCommand} from '../../cli/base-command.js'
import {recipeListText} from '../../cli/recipe-list-text.js'
import {listRecipes, type RecipeSummary} from '../../recipe/packaged.js'

export default class RecipeList extends BaseCommand {
  static override description =
    'They are grouped by the model that they fine-tune. Each can be given to other commands by its name. To make one your own, write it to a file: mambatune recipe show NAME > mine.yaml'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override summary = 'List the recipes that come with mambatune.'

  async run(): Promise<{recipes: RecipeSummary[]}> {
    await this.parse(RecipeList)
    const recipes = await listRecipes()
    this.out(recipeListText(recipes))
    return {recipes}
  }
}

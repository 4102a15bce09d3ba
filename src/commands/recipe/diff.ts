import {Args} from '@oclif/core'

import {BaseCommand} from '../../cli/base-command.js'
import {formatTable} from '../../cli/table.js'
import {compareRecipes, type RecipeChange} from '../../recipe/compare-recipes.js'
import {loadRecipe} from '../../recipe/load.js'
import {findRecipe} from '../../recipe/packaged.js'

interface RecipeDifferences {
  readonly first: string
  readonly second: string
  readonly changes: readonly RecipeChange[]
}

export default class RecipeDiff extends BaseCommand {
  static override args = {
    first: Args.string({description: 'Path of a recipe, or name of one that comes with mambatune.', required: true}),
    second: Args.string({description: 'The one to compare it with.', required: true}),
  }

  static override description =
    'Both are read with every default filled in, so that only what would be done otherwise is shown: not comments, order, nor what is written out. Keys in brackets change no trained number.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> definitions-lora ssm-only',
    '<%= config.bin %> <%= command.id %> runs/first/recipe.resolved.yaml mine.yaml --json',
  ]

  static override summary = 'Say in which values two recipes differ.'

  async run(): Promise<RecipeDifferences> {
    const {args} = await this.parse(RecipeDiff)
    const files = [await findRecipe(args.first), await findRecipe(args.second)]
    const loaded = [await loadRecipe(files[0], [], process.env), await loadRecipe(files[1], [], process.env)]
    const changes = compareRecipes(loaded[0].recipe, loaded[1].recipe)
    if (changes.length === 0) this.out('No value differs.')
    else {
      const rows = changes.map(({first, key, matters, second}) => [
        matters ? key : `(${key})`,
        first ?? '-',
        second ?? '-',
      ])
      this.out(formatTable(rows, {header: ['KEY', args.first, args.second]}))
    }
    return {changes, first: files[0], second: files[1]}
  }
}

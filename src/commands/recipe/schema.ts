import {BaseCommand} from '../../cli/base-command.js'
import {editorJsonSchema} from '../../recipe/json-schema.js'

export default class RecipeSchema extends BaseCommand {
  static override description =
    'Every key with its type, meaning, unit and default. Editors use it to complete and check recipes: write it to a file and put\n# yaml-language-server: $schema=recipe.schema.json\nat the top of the recipe.'

  static override examples = ['<%= config.bin %> <%= command.id %> > recipe.schema.json']
  static override summary = 'Print the JSON schema of recipes.'

  async run(): Promise<Record<string, unknown>> {
    await this.parse(RecipeSchema)
    const schema = editorJsonSchema()
    this.out(JSON.stringify(schema, null, 2))
    return schema
  }
}

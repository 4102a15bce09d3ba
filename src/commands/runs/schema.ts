import {BaseCommand} from '../../cli/base-command.js'
import {eventsJsonSchema} from '../../report/event-lines.js'

export default class RunsSchema extends BaseCommand {
  static override description =
    'Every event and field, with its meaning. New events and fields may be added; a program passes over those that it does not know.'

  static override examples = ['<%= config.bin %> <%= command.id %> > events.schema.json']
  static override summary = 'Print the JSON schema of the lines that --events writes.'

  async run(): Promise<Record<string, unknown>> {
    await this.parse(RunsSchema)
    const schema = eventsJsonSchema()
    this.out(JSON.stringify(schema, null, 2))
    return schema
  }
}

import {Args} from '@oclif/core'
import {BaseCommand} from '../../cli/base-command.js'
import {onHub} from '../../cli/locate-model.js'
import {UsageError} from '../../errors.js'

export default class Remove extends BaseCommand {
  static override args = {
    name: Args.string({description: 'owner/name, as mambatune model list shows it.', required: true}),
  }

  static override description =
    'All revisions of the model go, for every program that uses the cache. They can be fetched again.'

  static override examples = ['<%= config.bin %> <%= command.id %> state-spaces/mamba-130m-hf']

  static override summary = 'Remove a model that was fetched from the hub.'

  async run(): Promise<{readonly removed: string; readonly directory: string}> {
    const {args} = await this.parse(Remove)
    const [{removeModel}, {parseHubName}] = await Promise.all([
      import('../../checkpoint/hub/hub-list.js'),
      import('../../checkpoint/hub/hub-name.js'),
    ])
    const name = parseHubName(args.name)
    if (!name || args.name.includes('@')) {
      throw new UsageError(`${args.name} is no name of a model, expected owner/name.`, {
        hint: 'List the models that are there with: mambatune model list',
      })
    }
    const {directory} = await onHub(await this.progress(), ({settings}) => removeModel(name, settings))
    this.out(`Removed ${name.repository}.`)
    return {directory, removed: name.repository}
  }
}

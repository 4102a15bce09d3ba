import {type CachedModel} from '../../checkpoint/hub/hub-list.js'
import {BaseCommand} from '../../cli/base-command.js'
import {formatBytes} from '../../cli/format.js'
import {onHub} from '../../cli/locate-model.js'
import {formatTable} from '../../cli/table.js'

export default class List extends BaseCommand {
  static override description =
    'All models in the cache of Hugging Face, whichever program put them there, with the size that they take.'

  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

  static override summary = 'List the models that were fetched from the hub.'

  async run(): Promise<{readonly models: readonly CachedModel[]}> {
    await this.parse(List)
    const {cachedModels} = await import('../../checkpoint/hub/hub-list.js')
    const models = await onHub(await this.progress(), ({settings}) => cachedModels(settings))
    const rows = models.flatMap(({bytes, repository, revisions}) =>
      revisions.map(({commit, names}) => [repository, names.join(', '), commit.slice(0, 12), formatBytes(bytes)]),
    )
    if (rows.length === 0) this.out('None yet. Fetch one: mambatune model pull state-spaces/mamba-130m-hf')
    else {
      this.out(
        formatTable(rows, {align: ['left', 'left', 'left', 'right'], header: ['MODEL', 'REVISION', 'COMMIT', 'SIZE']}),
      )
    }
    return {models}
  }
}

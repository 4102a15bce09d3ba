import {Args} from '@oclif/core'
import {type HubModel} from '../../checkpoint/hub/hub-model.js'
import {BaseCommand} from '../../cli/base-command.js'
import {formatBytes} from '../../cli/format.js'
import {onHub} from '../../cli/locate-model.js'
import {UsageError} from '../../errors.js'

export default class Pull extends BaseCommand {
  static override args = {
    name: Args.string({
      description: 'owner/name, or owner/name@revision: a branch, a tag or a commit.',
      required: true,
    }),
  }

  static override description =
    'Only the files that are needed: config, tokenizer and weights. They lie in the cache that other programs use too (HF_HOME, HF_HUB_CACHE); ' +
    'HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE count. A download that was broken off goes on where it ended, and every file is checked by its hash. ' +
    'Other commands take the same names in place of a directory, and fetch what is missing.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> state-spaces/mamba-130m-hf',
    '<%= config.bin %> <%= command.id %> state-spaces/mamba-130m@main --json',
  ]

  static override summary = 'Fetch a model from the Hugging Face hub.'

  async run(): Promise<HubModel> {
    const {args} = await this.parse(Pull)
    const [{fetchModel}, {parseHubName}] = await Promise.all([
      import('../../checkpoint/hub/hub-model.js'),
      import('../../checkpoint/hub/hub-name.js'),
    ])
    const name = parseHubName(args.name)
    if (!name) {
      throw new UsageError(`${args.name} is no name on the hub, expected owner/name or owner/name@revision.`, {
        hint: 'For example: mambatune model pull state-spaces/mamba-130m-hf',
      })
    }
    const model = await onHub(await this.progress(), (options) => fetchModel(name, options))
    const {bytes, commit, directory, downloaded, repository} = model
    const arrived = downloaded === 0 ? 'all of it was there' : `${formatBytes(downloaded)} downloaded`
    this.out(`${repository}@${commit}: ${formatBytes(bytes)}, ${arrived}.`)
    this.out(directory)
    return model
  }
}

import {Args} from '@oclif/core'
import {BaseCommand} from '../cli/base-command.js'
import {type Shell} from '../cli/completion/script.js'

export default class Completion extends BaseCommand {
  static override args = {
    shell: Args.string({
      description: 'The shell that is to complete.',
      options: ['bash', 'zsh', 'fish'],
      required: true,
    }),
  }

  static override description =
    'Prints a script that completes commands, flags, their values, and the names of recipes. It starts no program when Tab is pressed; print it anew after an update.'

  static override examples = [
    `$ eval "$(<%= config.bin %> <%= command.id %> bash)"   # in ~/.bashrc, likewise zsh in ~/.zshrc`,
    '$ <%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/<%= config.bin %>.fish',
  ]

  static override summary = 'Print a script that completes commands in a shell.'

  async run(): Promise<{shell: string; script: string}> {
    const {args} = await this.parse(Completion)
    const [{knownCommands}, {completionScript}, {listRecipes}] = await Promise.all([
      import('../cli/completion/known-command.js'),
      import('../cli/completion/script.js'),
      import('../recipe/packaged.js'),
    ])
    const {bin, commands} = this.config
    const recipes = (await listRecipes()).map(({name}) => name)
    const shell = args.shell as Shell
    const script = completionScript(shell, {bin, commands: knownCommands(commands), recipes})
    this.write(script)
    return {script, shell}
  }
}

import {Command, loadHelpClass} from '@oclif/core'

export default class Help extends Command {
  static override description = 'The same as adding --help to a command.'
  static override examples = ['<%= config.bin %> help train']
  static override strict = false
  static override summary = 'Show what a command does and its flags.'

  async run(): Promise<void> {
    const {argv} = await this.parse(Help)
    const HelpClass = await loadHelpClass(this.config)
    await new HelpClass(this.config, this.config.pjson.oclif.helpOptions).showHelp(argv as string[])
  }
}

/**
 * A command that does not exist is a usage error like any other, and names the command that was probably meant.
 * oclif hands over all words up to the first flag as the command's id, so arguments have to be told apart from it here.
 */
import {Errors, type Hook} from '@oclif/core'

import {UsageError} from '../../errors.js'
import {describeFailure} from '../failure.js'
import {nearestName} from '../../nearest-name.js'
import {printFailure} from '../print-failure.js'

const commandNotFound: Hook.CommandNotFound = async function ({argv = [], config, id}) {
  const words = id.split(':')
  const commands = config.commands
    .filter((command) => !command.hidden)
    .map((command) => command.id.replaceAll(':', ' '))
  const error = unknownCommand(words, commands, config.bin)
  const invocation = {argv, bin: config.bin, command: words.join(' '), parsed: false}
  await printFailure(describeFailure(error, invocation), error, argv.includes('--json'))
  throw new Errors.ExitError(error.exit)
}

export default commandNotFound

/** Two words are compared with the commands of a topic, one word with the others. */
function unknownCommand(words: readonly string[], commands: readonly string[], bin: string): UsageError {
  const hasTopic = commands.some((command) => command.startsWith(`${words[0]} `))
  const typed = words.slice(0, hasTopic ? 2 : 1).join(' ')
  const nearest = nearestName(typed, commands) ?? nearestName(words.slice(0, 2).join(' '), commands)
  const question = nearest === undefined ? '' : ` Did you mean ${nearest}?`
  return new UsageError(`${typed} is not a command of ${bin}.${question}`, {
    hint: `${bin} ${nearest ?? ''} --help`.replace('  ', ' '),
  })
}

/** Where the run is to be written: a directory that is new. */
import {input} from '@inquirer/prompts'
import {MambatuneError} from '../../errors.js'
import {checkAnswer} from './check-answer.js'
import {type Facts} from './facts.js'
import {message, onTerminal} from './screen.js'

export async function askOut(facts: Facts, preset: string): Promise<string> {
  return input(
    {
      default: preset,
      message: message('out'),
      validate: (answer) =>
        checkAnswer('out', answer, facts).then(
          () => true,
          (error: unknown) => {
            if (error instanceof MambatuneError) return error.message
            throw error
          },
        ),
    },
    onTerminal,
  )
}

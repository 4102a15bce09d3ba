/** An error that does not end the questions, as it would be printed if it did. */
import {type MambatuneError} from '../../errors.js'
import {describeFailure, formatFailure} from '../failure.js'
import {createStyle, hasColour, signsFor} from '../terminal.js'

export function failureText(error: MambatuneError): string {
  const {env, platform, stderr} = process
  const failure = describeFailure(error, {argv: [], bin: 'mambatune', command: 'init', parsed: true})
  return formatFailure(failure, createStyle(hasColour(stderr, env)), signsFor(env, platform))
}

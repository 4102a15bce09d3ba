/**
 * Any thrown value as one plain record: what `--json` prints, and what the text for people is made of.
 * Errors of the library pass through, oclif's become usage errors, the rest is a bug and says how to report it.
 */
import {EXIT, type Fault, InterruptedError, MambatuneError, MemoryError} from '../errors.js'
import {withoutControls} from './display-width.js'
import {isError} from './is-error.js'
import {type Signs, type Style} from './terminal.js'
import {describeOclifError, type Invocation, isOclifError} from './usage-failure.js'

/** Exit code of a bug in mambatune: nothing that the user did. */
export const UNEXPECTED_EXIT = 1

/** Columns. A longer place overflows instead of pushing every other message to the right. */
const WIDEST_PLACE = 60

export interface Failure {
  readonly code: string
  readonly message: string
  readonly faults: readonly Fault[]
  readonly hint: string | null
  readonly exit: number
}

export function describeFailure(error: unknown, invocation: Invocation): Failure {
  if (error instanceof MambatuneError) return describeOwn(error)
  if (isOutOfMemory(error)) return describeOwn(outOfMemory(error))
  if (isInterruption(error)) return describeOwn(interruptedBy(error))
  if (isOclifError(error)) {
    const {exit, hint, message} = describeOclifError(error, invocation)
    return {code: exit === EXIT.usage ? 'E_USAGE' : 'E_UNEXPECTED', message, faults: [], hint, exit}
  }

  if (isFileSystemError(error)) {
    return {code: 'E_FILE', message: error.message, faults: [], hint: null, exit: EXIT.file}
  }

  const message = (isError(error) ? error.message : String(error)).split('\n', 1)[0]
  return {
    code: 'E_UNEXPECTED',
    message: `Unexpected error: ${message}`,
    faults: [],
    hint: `report this bug together with all that this prints: DEBUG=* ${asTyped(invocation)}`,
    exit: UNEXPECTED_EXIT,
  }
}

/**
 * The text form:
 *
 *   ✖ message
 *     where  what is wrong there
 *     Try: hint
 */
export function formatFailure(failure: Failure, style: Style, signs: Signs): string {
  const lines = [` ${style.red(signs.cross)} ${indented(failure.message, 3)}`]
  const places = failure.faults.map((fault) => fault.where.length)
  const column = Math.max(0, ...places.filter((width) => width <= WIDEST_PLACE))
  for (const {message, where} of failure.faults) {
    const place = where === '' ? '' : `${withoutControls(where).padEnd(column)}  `
    lines.push(`   ${style.dim(place)}${indented(message, 3 + place.length)}`)
  }

  if (failure.hint !== null) lines.push(`   ${style.bold('Try:')} ${indented(failure.hint, 8)}`)
  return lines.join('\n')
}

function describeOwn(error: MambatuneError): Failure {
  const {code, exit, faults, hint = null, message} = error
  return {code, message, faults, hint, exit}
}

/** Ctrl+C at a question, or an aborted file operation: both are the user's wish. */
function isInterruption(error: unknown): error is Error {
  return isError(error) && (error.name === 'ExitPromptError' || error.name === 'AbortError')
}

function interruptedBy(error: Error): MambatuneError {
  return error.cause instanceof InterruptedError ? error.cause : new InterruptedError('Stopped before the end.')
}

/** A full WebAssembly heap makes TensorFlow.js's C++ abort; a full process makes an array's allocation fail. */
function isOutOfMemory(error: unknown): error is Error {
  if (!isError(error)) return false
  if (error.name === 'RuntimeError') return error.message.startsWith('Aborted(')
  return error.name === 'RangeError' && /allocation failed|Invalid typed array length/i.test(error.message)
}

function outOfMemory(error: Error): MambatuneError {
  return new MemoryError('Out of memory.', {
    cause: error,
    hint: 'Lower train.batch_size or data.max_length (eval: --batch-size, --max-length).',
  })
}

/** A full disk or a missing permission that nobody further down has put into better words. */
function isFileSystemError(error: unknown): error is Error {
  if (!isError(error) || !('syscall' in error)) return false
  return 'path' in error || ('code' in error && error.code === 'ENOSPC')
}

function asTyped({argv, bin, command}: Invocation): string {
  return [bin, command, ...argv.map(quoted)].filter((word) => word !== '').join(' ')
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

function indented(text: string, spaces: number): string {
  return withoutControls(text).replaceAll('\n', `\n${' '.repeat(spaces)}`)
}

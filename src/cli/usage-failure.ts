/**
 * oclif's own errors, which are nearly always about flags and arguments, in our form and with our exit code.
 * oclif says that a flag does not exist; we also say which one was meant.
 */
import {stripVTControlCharacters} from 'node:util'

import {EXIT} from '../errors.js'
import {isError} from './is-error.js'
import {nearestName} from '../nearest-name.js'

/** What was typed, for hints that can be pasted. */
export interface Invocation {
  /** `mambatune` */
  readonly bin: string
  /** `recipe show`, or '' when there is no such command. */
  readonly command: string
  readonly argv: readonly string[]
  /** Whether the command line had been understood before the error. Until then oclif's errors are about flags and arguments. */
  readonly parsed: boolean
}

/** The fields of oclif's error classes that matter here; each class has some of them. */
export interface OclifError extends Error {
  readonly oclif: {readonly exit?: number | undefined}
  readonly suggestions?: readonly string[] | undefined
  readonly flags?: readonly string[]
  readonly parse?: {readonly input?: {readonly flags?: Readonly<Record<string, {readonly hidden?: boolean}>>}}
}

export interface UsageFailure {
  readonly exit: number
  readonly hint: string | null
  readonly message: string
}

/** A flag's own parser may throw any error; oclif marks it like its own. */
export function isOclifError(error: unknown): error is OclifError {
  return isError(error) && 'oclif' in error
}

export function describeOclifError(error: OclifError, invocation: Invocation): UsageFailure {
  const exit = invocation.parsed ? (error.oclif.exit ?? 1) : EXIT.usage
  const help = [invocation.bin, invocation.command, '--help'].filter((word) => word !== '').join(' ')
  const suggestions = error.suggestions ?? []
  return {
    exit,
    hint: suggestions.length > 0 ? suggestions.join('\n') : exit === EXIT.usage ? help : null,
    message: unknownFlags(error, invocation) ?? withoutOclifPhrases(error.message),
  }
}

function unknownFlags({flags, parse}: OclifError, {bin, command}: Invocation): string | null {
  const known = parse?.input?.flags
  if (!Array.isArray(flags) || known === undefined) return null

  const names = Object.keys(known).filter((name) => !known[name].hidden)
  const sentences = (flags as readonly string[]).map((flag) => {
    const nearest = nearestName(flag.replace(/^-+/, '').replace(/=.*$/s, ''), names)
    return `${flag} is not a flag of ${bin} ${command}.${nearest === undefined ? '' : ` Did you mean --${nearest}?`}`
  })
  return sentences.join('\n')
}

/**
 * oclif ends its messages with a pointer to help, which is our hint; sets a flag's name on a line of its own; and adds a note
 * about greedy flags even where no flag is greedy.
 */
function withoutOclifPhrases(message: string): string {
  return stripVTControlCharacters(message)
    .replaceAll('\nSee more help with --help', '')
    .replace(/^Parsing (--\S+) \n\t/, '$1: ')
    .replace(/^The following errors? occurred:\n\s*/, '')
    .replace(/\n\nNote: --.*$/s, '')
    .trimEnd()
}

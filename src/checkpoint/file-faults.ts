/**
 * How this folder reports what is wrong with files: system errors become a FileError in words, lists of faults become
 * one FileError, and names that come out of a file are made safe to print. Nothing outside `checkpoint/` imports this.
 */
import {FileError, type Fault, MambatuneError} from '../errors.js'

/** Faults listed in one error; a damaged header can hold a million. */
const MOST_FAULTS = 100

/** Characters of a name from a file that are printed. */
const LONGEST_NAME = 160

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'it is a mount point or in use by another program',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'it exists already',
  EFBIG: 'the file would be larger than the disk allows',
  EISDIR: 'it is a directory',
  ELOOP: 'its links run in a circle',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of the path is not a directory',
  ENOTEMPTY: 'it is not empty',
  EPERM: 'operation not permitted',
  EROFS: 'the disk is read-only',
  ERR_INVALID_ARG_VALUE: 'this is not a possible file name',
}

/** The code of an error of the operating system ('ENOENT' …), or null for any other error. */
export function systemCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null
  const {code, syscall} = error as {code?: unknown; syscall?: unknown}
  if (typeof code !== 'string') return null
  return typeof syscall === 'string' || code in REASONS ? code : null
}

/** What to throw for `error`, met while doing something to `path`: a FileError for system errors, else itself. */
export function fileSystemError(error: unknown, doing: 'read' | 'write', path: string): unknown {
  if (error instanceof MambatuneError) return error
  const code = systemCode(error)
  if (code === null) return error
  const hint =
    doing === 'read'
      ? 'Check the path, and that you may read it.'
      : 'Choose a place that exists, that you may write to and that has room.'
  return new FileError(`Cannot ${doing} ${printable(path)}: ${REASONS[code] ?? code}`, {cause: error, hint})
}

/** One FileError for all that was found. The summary says what failed, the faults say why. */
export function refusal(summary: string, faults: readonly Fault[], hint?: string): FileError {
  const shown = faults.slice(0, MOST_FAULTS)
  if (faults.length > MOST_FAULTS) {
    shown.push({message: `… and ${faults.length - MOST_FAULTS} more`, where: ''})
  }

  return new FileError(summary, hint === undefined ? {faults: shown} : {faults: shown, hint})
}

/** A name or value out of a file, quoted, shortened, and unable to move the cursor of a terminal or turn text around. */
export function quoted(value: unknown): string {
  return printable(shortened(JSON.stringify(value) ?? String(value)))
}

function shortened(text: string): string {
  return text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}…` : text
}

export function printable(text: string): string {
  // Control characters and the marks that change the direction of writing, by Unicode category.
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const hexadecimal = (character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')
    return `\\u${hexadecimal}`
  })
}

/** "1 fault", "2 faults". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

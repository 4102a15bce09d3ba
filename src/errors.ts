/**
 * Every error that a user can cause or can mend. The library throws these; only commands print them.
 * A message says what, where, got and expected; `hint` says what to type next; `faults` holds all that was found at once.
 */

/** Process exit codes; programs rely on them. */
export const EXIT = {
  device: 5,
  file: 4,
  interrupted: 130,
  invalid: 3,
  memory: 6,
  mismatch: 8,
  numeric: 7,
  ok: 0,
  terminated: 143,
  usage: 2,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** One thing that is wrong. `where` is `file:line:column`, a tensor name or a recipe key. */
export interface Fault {
  readonly where: string
  readonly message: string
}

export interface ErrorDetails {
  /** What to type or change next, one line. */
  readonly hint?: string
  readonly faults?: readonly Fault[]
  readonly cause?: unknown
}

/** Base of all errors below; `code` is stable and is what `docs/errors.md` and `--json` show. */
export abstract class MambatuneError extends Error {
  abstract readonly code: string
  abstract readonly exit: ExitCode
  readonly hint: string | undefined
  readonly faults: readonly Fault[]

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : {cause: details.cause})
    this.name = new.target.name
    this.hint = details.hint
    this.faults = details.faults ?? []
  }
}

/** The command line itself is wrong: a flag's value, flags that exclude each other. */
export class UsageError extends MambatuneError {
  readonly code = 'E_USAGE'
  readonly exit = EXIT.usage
}

/** A recipe has unknown keys, wrong types or values that do not go together. */
export class RecipeError extends MambatuneError {
  readonly code = 'E_RECIPE'
  readonly exit = EXIT.invalid
}

/** A training or evaluation file cannot be used as it is. */
export class DataError extends MambatuneError {
  readonly code = 'E_DATA'
  readonly exit = EXIT.invalid
}

/** A file or a model is missing, damaged or incomplete, or an output directory is in use. */
export class FileError extends MambatuneError {
  readonly code = 'E_FILE'
  readonly exit = EXIT.file
}

/** The device that was asked for is not there. */
export class DeviceError extends MambatuneError {
  readonly code = 'E_DEVICE'
  readonly exit = EXIT.device
}

/** The device ran out of memory. */
export class MemoryError extends MambatuneError {
  readonly code = 'E_MEMORY'
  readonly exit = EXIT.memory
}

/** A loss or a gradient is not finite, or merged and attached differ by more than the number format explains. */
export class NumericError extends MambatuneError {
  readonly code = 'E_NUMERIC'
  readonly exit = EXIT.numeric
}

/** Two artefacts do not belong together: an adapter and a base, a recipe and a saved adapter. */
export class MismatchError extends MambatuneError {
  readonly code = 'E_MISMATCH'
  readonly exit = EXIT.mismatch
}

/** The user stopped the program. */
export class InterruptedError extends MambatuneError {
  readonly code = 'E_INTERRUPTED'
  readonly exit: ExitCode = EXIT.interrupted
}

/** The system or another program asked it to stop (SIGTERM). */
export class TerminatedError extends InterruptedError {
  override readonly exit = EXIT.terminated
}

/** The error for work that `signal` has stopped: of the kind of its reason. */
export function interruption(
  {reason}: Pick<AbortSignal, 'reason'>,
  message: string,
  details: ErrorDetails = {},
): InterruptedError {
  return reason instanceof TerminatedError
    ? new TerminatedError(message, details)
    : new InterruptedError(message, details)
}

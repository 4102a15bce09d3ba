/**
 * Ctrl+C with manners: the first SIGINT or SIGTERM asks the work to stop after its current step, the second ends the process.
 * The work looks at the signal between steps, and must give the event loop a turn there, or no signal handler runs at all.
 */
import {EXIT, InterruptedError, TerminatedError} from '../errors.js'

/** What is needed of `process`, so that tests can stand in for it. */
export interface SignalHost {
  on(event: InterruptSignal, listener: (name: InterruptSignal) => void): unknown
  off(event: InterruptSignal, listener: (name: InterruptSignal) => void): unknown
  exit(code: number): void
  readonly stderr: {write(text: string): unknown}
}

type InterruptSignal = 'SIGINT' | 'SIGTERM'

export interface Interrupt {
  /** Its reason is an `InterruptedError`, so `signal.throwIfAborted()` ends a command with the right exit code. */
  readonly signal: AbortSignal
  /** Gives the signals back to Node, which ends the process at once. */
  readonly dispose: () => void
}

const EXIT_CODES = {SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated} as const

export function interruptSignal(host: SignalHost = process): Interrupt {
  const controller = new AbortController()
  const listen = (name: InterruptSignal): void => {
    if (controller.signal.aborted) return host.exit(EXIT_CODES[name])

    host.stderr.write('Stopping after this batch; press Ctrl+C again to leave at once\n')
    const Stopped = name === 'SIGTERM' ? TerminatedError : InterruptedError
    controller.abort(new Stopped('Stopped before the end.'))
  }

  host.on('SIGINT', listen)
  host.on('SIGTERM', listen)
  return {
    dispose() {
      host.off('SIGINT', listen)
      host.off('SIGTERM', listen)
    },
    signal: controller.signal,
  }
}

/** Ctrl+C while an answer is made: once stops the answer, twice leaves. */
import {EXIT} from '../../errors.js'
import {type SignalHost} from '../interrupt.js'

/** Runs `work` with a signal that the first Ctrl+C aborts. */
export async function stoppable(
  host: SignalHost,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<{wasStopped: boolean}> {
  const controller = new AbortController()
  const listen = (): void => {
    if (controller.signal.aborted) host.exit(EXIT.interrupted)
    controller.abort()
  }
  host.on('SIGINT', listen)
  try {
    await work(controller.signal)
  } finally {
    host.off('SIGINT', listen)
  }
  return {wasStopped: controller.signal.aborted}
}

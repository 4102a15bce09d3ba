/**
 * Keeps native code from writing to standard error while a function runs. Dawn and the Vulkan loader print what they find
 * strange about each driver, or that there is none, and have no switch against it; what matters of it comes as an error.
 *
 * File descriptor 2 is closed and the null device opened in its place, because Node cannot duplicate a descriptor. The way
 * back is to open the same terminal or pipe by its name. What has no name to open (a socket, Windows), or would be opened
 * at another place (a file), stays as it is and is written to.
 */
import {closeSync, fstatSync, openSync} from 'node:fs'
import {devNull} from 'node:os'

const STDERR = 2

/** `work` has to be done when it returns; a promise that it returns is not waited for. */
export function withQuietStderr<Result>(work: () => Result): Result {
  const kept = openedAgain(STDERR)
  if (kept === null) return work()
  closeSync(STDERR)
  const muted = openSync(devNull, 'w')
  try {
    return work()
  } finally {
    closeSync(muted)
    openSync(nameOf(kept), 'a')
    closeSync(kept)
  }
}

const nameOf = (descriptor: number): string => `/dev/fd/${descriptor}`

function openedAgain(descriptor: number): number | null {
  try {
    return fstatSync(descriptor).isFile() ? null : openSync(nameOf(descriptor), 'a')
  } catch {
    return null
  }
}

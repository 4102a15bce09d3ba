/** A program on the PATH. */
import {existsSync} from 'node:fs'
import path from 'node:path'

/** Throws if there is none: a test that needs it fails, and is not skipped. */
export function executableInPath(name: string): string {
  const places = (process.env.PATH ?? '').split(path.delimiter).map((directory) => path.join(directory, name))
  const found = places.find((place) => existsSync(place))
  if (found === undefined) throw new Error(`${name} is not on the PATH; install it: scripts/install-browser.sh`)
  return found
}

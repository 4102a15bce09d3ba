/** The version of this program, which files that it writes name. */
import {readFileSync} from 'node:fs'

let version: string | undefined

export function programVersion(): string {
  version ??= (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {version: string})
    .version
  return version
}

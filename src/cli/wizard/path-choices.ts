/** Completion of paths at a question: what a directory holds that begins as what was typed. */
import {existsSync} from 'node:fs'
import {readdir, stat} from 'node:fs/promises'
import {homedir} from 'node:os'
import path from 'node:path'
import {isDataName} from '../../data/container.js'

/** Entries that are offered at most */
const MOST = 50

export interface PathChoice {
  /** As it is to be written; directories end in a slash */
  readonly path: string
  readonly isDirectory: boolean
}

/** Directories and data files; what is typed in full is the first of them. `~/` is the user's directory. */
export async function pathsFor(typed: string): Promise<readonly PathChoice[]> {
  const term = typed.replace(/^~(?=\/|$)/, homedir())
  const cut = term.lastIndexOf('/') + 1
  const [directory, begin] = [term.slice(0, cut), term.slice(cut)]
  const entries = await readdir(directory || '.', {withFileTypes: true}).catch(() => [])
  const matching = entries.filter(({name}) => beginsWith(name, begin))
  const choices = await Promise.all(
    matching.map(async ({name}): Promise<PathChoice> => {
      const isDirectory = await isDirectoryAt(path.join(directory || '.', name))
      return {isDirectory, path: `${directory}${name}${isDirectory ? '/' : ''}`}
    }),
  )
  const wanted = choices.filter((choice) => choice.isDirectory || isDataName(path.basename(choice.path)))
  const exact = existsSync(term) && term !== '' && !wanted.some((choice) => choice.path === term)
  const first = exact ? [{isDirectory: await isDirectoryAt(term), path: term}] : []
  return [...first, ...wanted.sort(inOrder)].slice(0, MOST)
}

/** Hidden entries are offered once a dot is typed. */
function beginsWith(name: string, begin: string): boolean {
  return name.toLowerCase().startsWith(begin.toLowerCase()) && (begin.startsWith('.') || !name.startsWith('.'))
}

/** Files before directories, both by name. */
function inOrder(a: PathChoice, b: PathChoice): number {
  if (a.isDirectory !== b.isDirectory) return a.isDirectory ? 1 : -1
  return a.path < b.path ? -1 : 1
}

const isDirectoryAt = (file: string): Promise<boolean> =>
  stat(file).then(
    (status) => status.isDirectory(),
    () => false,
  )

/**
 * The files of a dataset. A directory stands for the data files in it and below, in the order of their names; if some of them, or their
 * directories, are called after the part of the data that is wanted (train; validation, valid, val, dev), for those alone.
 */
import {readdir, stat} from 'node:fs/promises'
import path from 'node:path'

import {isDataName} from './container.js'

/** Which part of the data is wanted; null: all */
export type Role = 'train' | 'validation' | null

const WORDS: Readonly<Record<'train' | 'validation' | 'test', RegExp>> = {
  train: /(?:^|[^a-z])train(?:ing)?(?:[^a-z]|$)/i,
  validation: /(?:^|[^a-z])(?:validation|valid|val|dev|eval)(?:[^a-z]|$)/i,
  test: /(?:^|[^a-z])test(?:[^a-z]|$)/i,
}

/** What is no directory is returned as it is, and so is a directory without such files, for whoever looks at them next. */
export async function findFiles(paths: readonly string[], role: Role): Promise<string[]> {
  const found: string[] = []
  for (const given of paths) {
    const isDirectory = await stat(given).then(
      (status) => status.isDirectory(),
      () => false,
    )
    found.push(...(isDirectory ? await filesOf(given, role) : [given]))
  }
  return found
}

/** Of names relative to one directory, those that are data of the role. */
export function filesForRole(names: readonly string[], role: Role): string[] {
  const data = names.filter((name) => name.split(/[/\\]/).every((part) => !part.startsWith('.')))
  const all = data.filter((name) => isDataName(path.basename(name))).sort()
  if (role === null) return all
  const ofRole = all.filter((name) => WORDS[role].test(name))
  if (ofRole.length > 0) return ofRole
  // Without files of this name, those that are called after no other part.
  const others = Object.values(WORDS)
  return role === 'train' ? all.filter((name) => !others.some((word) => word.test(name))) : []
}

async function filesOf(directory: string, role: Role): Promise<string[]> {
  const names = (await readdir(directory, {recursive: true, withFileTypes: true}))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
  const files = filesForRole(names, role)
  return files.length > 0 ? files.map((name) => path.join(directory, name)) : [directory]
}

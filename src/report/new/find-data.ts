/** Data that a new recipe may train on: files in the directories here, and those of the package; and what to validate with. */
import {readdir, stat} from 'node:fs/promises'
import path from 'node:path'
import {isDataName} from '../../data/container.js'
import {filesForRole} from '../../data/find-files.js'
import {packageDirectory} from '../../recipe/packaged.js'
import {shortPath} from './find-models.js'

const packagedData: string = path.join(packageDirectory, 'data/')

const SKIPPED = /^(?:\.|node_modules$|runs$|models$|package(?:-lock)?\.json$|tsconfig.*\.json$)/
/** Files that are listed at most */
const MOST = 20

export interface FoundData {
  /** As data.train of a recipe */
  readonly path: string
  readonly where: 'here' | 'package'
}

/** Those here first, by name; those that are called after training before the others. */
export async function findTrainingData(directory: string): Promise<readonly FoundData[]> {
  const here = await dataFiles(directory, 2)
  const packaged = await dataFiles(packagedData, 1)
  const all = [
    ...trainingFiles(here, directory).map((file): FoundData => ({path: shortPath(file, directory), where: 'here'})),
    ...trainingFiles(packaged, packagedData).map((file): FoundData => ({
      path: shortPath(file, directory),
      where: 'package',
    })),
  ]
  return all.filter((found, index) => all.findIndex((other) => other.path === found.path) === index)
}

/** Files that are called after training first, and none that are called after validation. */
function trainingFiles(files: readonly string[], directory: string): string[] {
  const names = files.map((file) => path.relative(directory, file))
  const first = filesForRole(names, 'train')
  const validation = filesForRole(names, 'validation')
  const others = names.filter((name) => !first.includes(name) && !validation.includes(name))
  return [...first, ...others].map((name) => path.join(directory, name))
}

async function dataFiles(directory: string, depth: number): Promise<string[]> {
  const entries = await readdir(directory, {withFileTypes: true}).catch(() => [])
  const wanted = entries.filter(({name}) => !SKIPPED.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
  const own = wanted.filter((entry) => entry.isFile() && isDataName(entry.name))
  const below = depth === 1 ? [] : wanted.filter((entry) => entry.isDirectory())
  const deeper = await Promise.all(below.map(({name}) => dataFiles(path.join(directory, name), depth - 1)))
  return [...own.map(({name}) => path.join(directory, name)), ...deeper.flat()].slice(0, MOST)
}

/** What a validation file may be called, where the training file is called after training */
const NAMES = ['validation', 'valid', 'val', 'dev', 'eval', 'test']

/**
 * The validation data that belong to a training path: the same directory, if files in it are called so, or the file beside it that
 * is named alike. `files` are those that a directory or a data set of the hub stands for. null: there are none.
 */
export async function findValidation(data: string, files: readonly string[]): Promise<string | null> {
  const status = await stat(data).catch(() => null)
  if (!status?.isFile()) {
    const names = files.map((file) => path.relative(data, file))
    return filesForRole(names, 'validation').length > 0 ? data : null
  }

  const {base, dir} = path.parse(data)
  for (const name of NAMES) {
    const beside = path.join(dir, base.replace(/train(?:ing)?/i, name))
    if (beside !== path.normalize(data) && (await stat(beside).catch(() => null))?.isFile()) return beside
  }
  return null
}

/** The models that a new recipe may start from: in the directories here, in the hub's cache, in the package, and known ones of the hub. */
import {readdir} from 'node:fs/promises'
import path from 'node:path'
import {cachedModels} from '../../checkpoint/hub/hub-list.js'
import {type HubSettings} from '../../checkpoint/hub/hub-settings.js'
import {isModelDirectory, readModelConfig} from '../../checkpoint/model-directory.js'
import {MambatuneError} from '../../errors.js'
import {type MambaConfig, readMambaConfig} from '../../model/config.js'
import {presetConfig} from '../../model/presets.js'
import {packageDirectory} from '../../recipe/packaged.js'
import {countParameters} from '../inspect-model.js'
import {KNOWN_MODELS} from './known-models.js'

export interface FoundModel {
  /** As model.base of a recipe: a path, or a name on the hub */
  readonly base: string
  readonly where: 'here' | 'cache' | 'package' | 'hub'
  readonly config: MambaConfig
  readonly parameters: number
}

const packagedModels: string = path.join(packageDirectory, 'models/')

/** Those of this machine first: of the directory, of the cache, of the package; then those of the hub. Each once. */
export async function findModels(directory: string, settings: HubSettings): Promise<readonly FoundModel[]> {
  const here = await Promise.all(
    (await subdirectories(directory, 2)).map((found) => inDirectory(found, directory, 'here')),
  )
  const packaged = await Promise.all(
    (await subdirectories(packagedModels, 1)).map((found) => inDirectory(found, directory, 'package')),
  )
  const cached = await Promise.all((await cachedModels(settings)).map(inCache))
  const hub = KNOWN_MODELS.map(({name, shape}) => found(name, 'hub', presetConfig(shape)))
  const all = [...here, ...cached, ...packaged, ...hub].filter((model) => model !== null)
  return all.filter(({base}, index) => all.findIndex((other) => other.base === base) === index)
}

/** As people write it: relative where it lies below, else absolute. */
export function shortPath(file: string, directory: string): string {
  const relative = path.relative(directory, file)
  return relative.startsWith('..') || path.isAbsolute(relative) ? path.resolve(file) : relative
}

const found = (base: string, where: FoundModel['where'], config: MambaConfig): FoundModel => ({
  base,
  config,
  parameters: countParameters(config),
  where,
})

async function inDirectory(directory: string, from: string, where: 'here' | 'package'): Promise<FoundModel | null> {
  if (!(await isModelDirectory(directory))) return null
  const config = await configIn(directory)
  return config && found(shortPath(directory, from), where, config)
}

type Cached = Awaited<ReturnType<typeof cachedModels>>[number]

async function inCache({directory, repository, revisions}: Cached): Promise<FoundModel | null> {
  const [revision] = revisions
  const config = revision && (await configIn(path.join(directory, 'snapshots', revision.commit)))
  return config ? found(repository, 'cache', config) : null
}

/** null for models of other architectures, and for what cannot be read. */
async function configIn(directory: string): Promise<MambaConfig | null> {
  try {
    return readMambaConfig(await readModelConfig(directory), directory)
  } catch (error) {
    if (error instanceof MambatuneError) return null
    throw error
  }
}

const SKIPPED = /^(?:\.|node_modules$)/
/** Directories that are looked into at most, should the current one hold a whole disk. */
const MOST = 500

async function subdirectories(directory: string, depth: number): Promise<string[]> {
  const entries = await readdir(directory, {withFileTypes: true}).catch(() => [])
  const own = entries
    .filter((entry) => entry.isDirectory() && !SKIPPED.test(entry.name))
    .map((entry) => path.join(directory, entry.name))
    .sort()
    .slice(0, MOST)
  if (depth === 1) return own
  const below = await Promise.all(own.map((child) => subdirectories(child, depth - 1)))
  return [...own, ...below.flat()].slice(0, MOST)
}

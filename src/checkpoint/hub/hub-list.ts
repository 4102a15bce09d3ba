/** The models that the cache holds, and removing one. */
import {type CachedRepoInfo, scanCachedRepo} from '@huggingface/hub'
import {readdir, rm} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../../errors.js'
import {fileSystemError, systemCode} from '../file-faults.js'
import {HubCache} from './hub-cache.js'
import {type HubName} from './hub-name.js'
import {type HubSettings} from './hub-settings.js'

export interface CachedModel {
  readonly repository: string
  readonly bytes: number
  /** Commits, with the branches and tags that stand for them */
  readonly revisions: readonly {readonly commit: string; readonly names: readonly string[]; readonly files: number}[]
  readonly directory: string
}

/** Of all programs that use the cache, by name. What is damaged there is left out. */
export async function cachedModels({cache}: HubSettings): Promise<readonly CachedModel[]> {
  const models: CachedModel[] = []
  for (const folder of (await namesIn(cache)).filter((name) => name.startsWith('models--')).sort()) {
    const scanned = await scanCachedRepo(path.join(cache, folder)).catch(() => null)
    if (scanned) models.push(describe(scanned))
  }

  return models
}

/** Removes all of a model from the cache. Errors: FileError if it is not there. */
export async function removeModel(name: HubName, {cache}: HubSettings): Promise<{readonly directory: string}> {
  const {directory} = new HubCache(cache, name)
  if (!(await namesIn(cache)).includes(path.basename(directory))) {
    throw new FileError(`${name.repository} is not in the cache.`, {
      hint: 'List what is there with: mambatune model list',
    })
  }

  try {
    await rm(directory, {force: true, recursive: true})
  } catch (error) {
    throw fileSystemError(error, 'write', directory)
  }

  return {directory}
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw fileSystemError(error, 'read', directory)
  }
}

function describe({id, path: directory, revisions, size}: CachedRepoInfo): CachedModel {
  return {
    bytes: size,
    directory,
    repository: id.name,
    revisions: revisions.map(({commitOid, files, refs}) => ({commit: commitOid, files: files.length, names: refs})),
  }
}

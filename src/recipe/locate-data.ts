/** Data sets of the hub that a recipe or a command names, as files on this machine. */
import path from 'node:path'

import {fetchDataset, isHubData, parseHubData} from '../checkpoint/hub/hub-dataset.js'
import {type HubOptions} from '../checkpoint/hub/hub-model.js'
import {filesForRole, findFiles, type Role} from '../data/find-files.js'
import {type DataPlace} from './model-place.js'
import {type Recipe} from './schema.js'

/** The files that the paths stand for; what is not on the hub is returned as it is. */
export async function locateFiles(paths: readonly string[], role: Role, options: HubOptions): Promise<string[]> {
  const found: string[] = []
  for (const name of paths) {
    if (!isHubData(name)) {
      found.push(name)
      continue
    }

    const {directory, files} = await fetchDataset(parseHubData(name), (names) => filesForRole(names, role), options)
    const local = files.map((file) => path.join(directory, file))
    found.push(...(local.length > 0 ? local : await findFiles([directory], role)))
  }
  return found
}

/** `store` is the directory for tokenised rows that do not fit into memory. */
export async function locateData({data}: Recipe, store: string, options: HubOptions): Promise<DataPlace> {
  const files = new Map<string, {train: string[]; validation: string[]}>()
  for (const role of ['train', 'validation'] as const) {
    for (const name of [data[role] ?? []].flat()) {
      if (!isHubData(name)) continue
      const known = files.get(name) ?? {train: [], validation: []}
      files.set(name, {...known, [role]: await locateFiles([name], role, options)})
    }
  }
  return {files, store}
}

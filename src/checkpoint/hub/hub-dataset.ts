/**
 * Files of a data set of the hub, in the same cache as the models: hub://owner/name, with @revision after the name, and a file or a
 * directory of the repository after that.
 */
import path from 'node:path'

import {FileError} from '../../errors.js'
import {quoted} from '../file-faults.js'
import {Fetch, type HubOptions} from './hub-model.js'
import {type HubName, parseHubName} from './hub-name.js'

export interface HubDataName {
  readonly name: HubName
  /** A file or a directory of the repository; '' is all of it */
  readonly within: string
}

const PREFIX = 'hub://'

export function isHubData(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** Errors: FileError for what is not of this form. */
export function parseHubData(text: string): HubDataName {
  const [owner, name, ...rest] = text.slice(PREFIX.length).split('/')
  const within = rest.filter((part) => part !== '').join('/')
  const parsed = parseHubName(`${owner}/${name ?? ''}`)
  if (parsed && (within === '' || isSafe(within))) return {name: {...parsed, kind: 'dataset'}, within}
  throw new FileError(`${quoted(text)} is no name of data on the hub.`, {
    hint: 'Write hub://owner/name, hub://owner/name@revision or hub://owner/name/path/of/a/file.jsonl.',
  })
}

export interface HubData {
  /** Holds the files, or links to them */
  readonly directory: string
  /** Relative to the directory; empty when the hub was not asked */
  readonly files: readonly string[]
}

/**
 * Downloads what `choose` takes of the names of the repository's files. Errors: FileError for what the hub refuses, does not have, or
 * names in a way that could lead out of the cache; InterruptedError.
 */
export async function fetchDataset(
  {name, within}: HubDataName,
  choose: (names: readonly string[]) => readonly string[],
  options: HubOptions,
): Promise<HubData> {
  const {directory, files} = await new Fetch(name, options).run(async (fetch, listed) => {
    const inside = [...listed.keys()].filter(
      (file) => within === '' || file === within || file.startsWith(`${within}/`),
    )
    const chosen = within !== '' && listed.has(within) ? [within] : choose(inside)
    const wanted = [...listed.values()].filter((file) => chosen.includes(file.path))
    const unsafe = wanted.find((file) => !isSafe(file.path))
    if (unsafe) throw new FileError(`${name.repository} names a file ${quoted(unsafe.path)}, which is not used.`)
    if (wanted.length === 0) {
      const place = within === '' ? name.repository : `${within} of ${name.repository}`
      throw new FileError(`There are no data files in ${place} for this use.`, {
        hint: `Name a file: hub://${name.repository}/….jsonl, .json, .csv, .tsv, .parquet or .txt, also with .gz after it.`,
      })
    }
    await fetch.files(wanted)
  })
  return {directory: path.join(directory, files.length > 0 ? '' : within), files}
}

function isSafe(file: string): boolean {
  return (
    file.length <= 500 && file.split('/').every((part) => /^[^\\:\0]+$/.test(part) && part !== '..' && part !== '.')
  )
}

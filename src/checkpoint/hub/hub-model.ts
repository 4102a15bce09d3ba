/**
 * A model of the hub as a directory on this machine. It is asked which commit the name stands for; what the cache lacks of
 * that commit is downloaded. Offline, or where the hub cannot be reached, what the cache has is used.
 */
import path from 'node:path'

import {FileError} from '../../errors.js'
import {isFile} from '../weight-files.js'
import {commitOf, filesOf, type HubFile, type HubRequest, UnreachableError} from './hub-api.js'
import {HubCache} from './hub-cache.js'
import {downloadFile} from './hub-download.js'
import {type HubFiles, neededFiles, shardsOf, TOKENIZER_FILES} from './hub-files.js'
import {type HubName, isCommit} from './hub-name.js'
import {type HubSettings} from './hub-settings.js'

export type HubEvent =
  | {readonly event: 'file'; readonly file: string; readonly done: number; readonly total: number}
  | {readonly event: 'note'; readonly text: string}

export interface HubOptions {
  readonly settings: HubSettings
  readonly report?: (event: HubEvent) => void
  readonly signal?: AbortSignal | undefined
}

export interface HubModel {
  readonly repository: string
  readonly commit: string
  /** Holds the files, or links to them */
  readonly directory: string
  readonly files: readonly string[]
  /** Of all files together */
  readonly bytes: number
  /** Bytes that were not in the cache before */
  readonly downloaded: number
}

/** All but the weights: what a plan is made of. */
export async function fetchSmallFiles(name: HubName, options: HubOptions): Promise<HubModel> {
  return new Fetch(name, options).run(async (fetch, files) => {
    await fetch.files(neededFiles(files, name.repository).small)
  })
}

/** Errors: FileError for what the hub refuses or does not have, InterruptedError. What has arrived stays for the next time. */
export async function fetchModel(name: HubName, options: HubOptions): Promise<HubModel> {
  return new Fetch(name, options).run(async (fetch, files) => {
    const {small, weights} = neededFiles(files, name.repository)
    const isIndex = weights.path.endsWith('.index.json')
    await fetch.files([...small, ...(isIndex ? [weights] : [])])
    const index = path.join(fetch.directory, weights.path)
    await fetch.files(isIndex ? await shardsOf(index, files, name.repository) : [weights])
  })
}

/** The tokenizer alone. */
export async function fetchTokenizer(name: HubName, options: HubOptions): Promise<HubModel> {
  return new Fetch(name, options).run(async (fetch, files) => {
    await fetch.files([...files.values()].filter(({path: file}) => TOKENIZER_FILES.has(file)))
  })
}

export class Fetch {
  directory = ''
  private commit = ''
  private bytes = 0
  private downloaded = 0
  private readonly fetched: string[] = []
  private readonly cache: HubCache
  private readonly request: HubRequest

  constructor(
    private readonly name: HubName,
    private readonly options: HubOptions,
  ) {
    this.cache = new HubCache(options.settings.cache, name)
    this.request = {name, settings: options.settings, signal: options.signal}
  }

  async run(choose: (fetch: Fetch, files: HubFiles) => Promise<void>): Promise<HubModel> {
    const known = await this.cache.knownCommit()
    if (this.options.settings.offline) return this.fromCache(known)
    try {
      this.commit = isCommit(this.name.revision) ? this.name.revision : await commitOf(this.request)
      this.directory = this.cache.snapshot(this.commit)
      const files = await filesOf(this.request, this.commit)
      await choose(this, files)
      await this.cache.remember(this.commit)
      return this.result()
    } catch (error) {
      if (!(error instanceof UnreachableError) || known === null) throw error
      this.options.report?.({
        event: 'note',
        text: `${error.message} Using what the cache has of ${this.name.repository}.`,
      })
      return this.fromCache(known)
    }
  }

  /** Downloads what is missing, one after the other, and puts it into the snapshot. */
  async files(files: readonly HubFile[]): Promise<void> {
    for (const file of files) {
      const blob = this.cache.blob(file.hash)
      if (!(await isFile(blob))) this.downloaded += file.size
      const report = (done: number): void => {
        this.options.report?.({done, event: 'file', file: file.path, total: file.size})
      }

      await downloadFile({...this.request, blob, commit: this.commit, file, report})
      await this.cache.link(this.commit, file.path, file.hash)
      this.bytes += file.size
      this.fetched.push(file.path)
    }
  }

  private fromCache(commit: string | null): HubModel {
    const {repository, revision} = this.name
    if (commit === null) {
      throw new FileError(`${repository} at revision ${revision} is not in the cache, and HF_HUB_OFFLINE is set.`, {
        hint: `Without HF_HUB_OFFLINE, type: mambatune model pull ${repository}`,
      })
    }

    this.commit = commit
    this.directory = this.cache.snapshot(commit)
    return this.result()
  }

  private result(): HubModel {
    const {bytes, commit, directory, downloaded, fetched: files} = this
    return {bytes, commit, directory, downloaded, files, repository: this.name.repository}
  }
}

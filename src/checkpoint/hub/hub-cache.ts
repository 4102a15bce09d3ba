/**
 * The cache of Hugging Face's programs (huggingface_hub, "Understand caching"):
 *
 *   models--<owner>--<name>/blobs/<hash>               the files' contents
 *   models--<owner>--<name>/snapshots/<commit>/<file>  links to them
 *   models--<owner>--<name>/refs/<revision>            the commit that a branch or tag stands for
 */
import {getRepoFolderName} from '@huggingface/hub'
import {copyFile, lstat, mkdir, readFile, symlink, unlink} from 'node:fs/promises'
import path from 'node:path'

import {fileSystemError, systemCode} from '../file-faults.js'
import {writeFileDurably} from '../output-directory.js'
import {type HubName, isCommit} from './hub-name.js'

export class HubCache {
  readonly directory: string

  constructor(
    cache: string,
    private readonly name: HubName,
  ) {
    this.directory = path.join(cache, getRepoFolderName({name: name.repository, type: name.kind ?? 'model'}))
  }

  snapshot(commit: string): string {
    return path.join(this.directory, 'snapshots', commit)
  }

  blob(hash: string): string {
    return path.join(this.directory, 'blobs', hash)
  }

  private get reference(): string {
    return path.join(this.directory, 'refs', ...this.name.revision.split('/'))
  }

  /** The commit that the revision stood for when it was fetched, if there is a snapshot of it. */
  async knownCommit(): Promise<string | null> {
    const {revision} = this.name
    const commit = isCommit(revision) ? revision : (await readFile(this.reference, 'utf8').catch(() => '')).trim()
    return isCommit(commit) && (await isThere(this.snapshot(commit))) ? commit : null
  }

  /** Notes what the revision stands for; last of all, so that what is noted is complete. */
  async remember(commit: string): Promise<void> {
    const isName = !isCommit(this.name.revision)
    // Other programs take a model without this directory for damaged.
    await mkdir(isName ? path.dirname(this.reference) : path.join(this.directory, 'refs'), {recursive: true})
    if (isName) await writeFileDurably(this.reference, commit)
  }

  /** Lets the file of a snapshot be this blob; a copy of it where the system has no links. */
  async link(commit: string, file: string, hash: string): Promise<void> {
    const target = path.join(this.snapshot(commit), file)
    try {
      await mkdir(path.dirname(target), {recursive: true})
      if (await isThere(target)) await unlink(target)
      await symlink(path.relative(path.dirname(target), this.blob(hash)), target)
    } catch (error) {
      if (systemCode(error) !== 'EPERM') throw fileSystemError(error, 'write', target)
      await copyFile(this.blob(hash), target)
    }
  }
}

/** A link counts even if what it leads to is gone. */
async function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  )
}

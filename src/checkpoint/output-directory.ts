/**
 * Writes files and directories so that they appear whole or not at all: under a temporary name beside the target,
 * forced to the disk, then renamed. A directory never replaces one that holds anything. A program that is killed can
 * leave only something named `.<name>.<random>.partial`, which nothing reads and which may be deleted.
 */
import {randomBytes} from 'node:crypto'
import {type FileHandle, mkdir, open, readdir, realpath, rename, rm, rmdir} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../errors.js'
import {fileSystemError, systemCode} from './file-faults.js'

/** Bytes per call of the operating system, which takes less than 2 GiB at a time. */
const WRITE_BYTES = 256 * 1024 * 1024

/** Codes with which systems, Windows above all, answer that a directory cannot be forced to the disk. */
const NO_DIRECTORY_SYNC: ReadonlySet<string> = new Set(['EACCES', 'EBADF', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM'])

/**
 * `write` fills the directory that it is given; what it leaves there becomes `target`. Parents are made as needed.
 * If anything fails, all of it is taken back and the error passed on.
 */
export async function writeDirectory(target: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const final = await freeTarget(target)
  const temporary = temporaryName(final)
  let firstMade: string | undefined
  try {
    firstMade = await mkdir(path.dirname(final), {recursive: true})
    await mkdir(temporary)
    await write(temporary)
    await syncTree(temporary)
    await putInPlace(temporary, final)
  } catch (error) {
    await rm(temporary, {force: true, recursive: true})
    await removeEmptyParents(path.dirname(final), firstMade)
    throw fileSystemError(error, ...subject(error, temporary, target))
  }
}

/** Makes a directory and its parents, if they are not there. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, {recursive: true})
  } catch (error) {
    throw fileSystemError(error, 'write', directory)
  }
}

/** Replaces what is at `file`, if anything; its directory must exist. */
export async function writeFileDurably(file: string, content: string | Uint8Array): Promise<void> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  await replaceFile(file, async (handle) => writeAll(handle, bytes))
}

/** Replaces `file` by what `write` puts into the handle; if that fails, `file` stays as it was. */
export async function replaceFile(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path.resolve(file))
  try {
    const handle = await open(temporary, 'wx')
    try {
      await write(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }

    await rename(temporary, file)
    await syncDirectory(path.dirname(temporary))
  } catch (error) {
    await rm(temporary, {force: true})
    throw fileSystemError(error, 'write', file)
  }
}

/** Appends all bytes, in writes that the operating system can do. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, writeBytes = WRITE_BYTES): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const {bytesWritten} = await handle.write(bytes, done, Math.min(writeBytes, bytes.length - done))
    done += bytesWritten
  }
}

function temporaryName(target: string): string {
  const random = randomBytes(6).toString('hex')
  return path.join(path.dirname(target), `.${path.basename(target)}.${random}.partial`)
}

/** The absolute path to write to, links followed; a FileError when something is there already. */
async function freeTarget(target: string): Promise<string> {
  const absolute = path.resolve(target)
  let found: string[]
  let real: string
  try {
    real = await realpath(absolute)
    found = await readdir(real)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return absolute
    if (systemCode(error) === 'ENOTDIR') throw inUse(target, 'it, or a part of its path, is a file')
    throw fileSystemError(error, 'write', target)
  }

  if (found.length > 0) throw inUse(target, `it holds ${found.slice(0, 3).join(', ')}${found.length > 3 ? ' …' : ''}`)
  // Replacing it would leave the user's shell in a directory that is gone.
  if (real === (await realpath('.'))) throw inUse(target, 'it is the current directory')
  return real
}

function inUse(target: string, why: string): FileError {
  return new FileError(`Cannot write ${target}: ${why}`, {
    hint: 'Name a directory that does not exist yet; nothing is ever written over.',
  })
}

async function putInPlace(temporary: string, final: string): Promise<void> {
  try {
    // Windows renames no directory onto another, not even onto an empty one.
    await rmdir(final)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOTEMPTY' || code === 'EEXIST') throw inUse(final, 'something else was written there meanwhile')
    if (code !== 'ENOENT') throw error
  }

  await rename(temporary, final)
  await syncDirectory(path.dirname(final))
}

/** What an error is about: `write` may have missed a file elsewhere, such as one that it copies. */
function subject(error: unknown, temporary: string, target: string): ['read' | 'write', string] {
  const {path: at} = error as {path?: unknown}
  const missed = systemCode(error) === 'ENOENT' && typeof at === 'string' && !at.startsWith(temporary)
  return missed ? ['read', at] : ['write', target]
}

async function syncTree(directory: string): Promise<void> {
  for (const found of await readdir(directory, {withFileTypes: true})) {
    const inside = path.join(directory, found.name)
    if (found.isDirectory()) await syncTree(inside)
    else if (found.isFile()) await syncFile(inside)
  }

  await syncDirectory(directory)
}

async function syncFile(file: string): Promise<void> {
  // Windows forces only what is open for writing.
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(directory, 'r')
    await handle.sync()
  } catch (error) {
    if (!NO_DIRECTORY_SYNC.has(systemCode(error) ?? '')) throw error
  } finally {
    await handle?.close()
  }
}

/** Takes back the parents that `mkdir` made, from the innermost to `firstMade`, as far as they are empty. */
async function removeEmptyParents(innermost: string, firstMade: string | undefined): Promise<void> {
  if (firstMade === undefined) return
  for (let directory = innermost; directory.startsWith(firstMade); directory = path.dirname(directory)) {
    try {
      await rmdir(directory)
    } catch {
      return
    }
  }
}

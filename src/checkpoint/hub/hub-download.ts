/**
 * One file of the hub into the cache. What arrives is appended to `<hash>.incomplete`, so that the next attempt, of this run
 * or of another, goes on where it broke off. The content is hashed from the disk before it gets its name.
 */
import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {type FileHandle, mkdir, open, rename, rm, stat, writeFile} from 'node:fs/promises'
import path from 'node:path'
import {setTimeout as wait} from 'node:timers/promises'

import {FileError, MambatuneError} from '../../errors.js'
import {counted, fileSystemError, systemCode} from '../file-faults.js'
import {writeAll} from '../output-directory.js'
import {isFile} from '../weight-files.js'
import {
  addressOf,
  fetchOf,
  type HubFile,
  type HubRequest,
  interrupted,
  statusError,
  unreachable,
  UnreachableError,
} from './hub-api.js'

/** Attempts in a row that may bring nothing new. */
const ATTEMPTS = 4

/** Milliseconds before the second attempt; each further one waits twice as long. */
const FIRST_WAIT = 250

export interface Download extends HubRequest {
  readonly commit: string
  readonly file: HubFile
  /** Where the content belongs */
  readonly blob: string
  /** Hears how many bytes are there, whenever there are more. */
  readonly report: (bytes: number) => void
}

/** Errors: FileError for what the hub refuses, for a lasting bad connection, and for another content than was promised. */
export async function downloadFile(download: Download): Promise<void> {
  const {blob, file, report} = download
  if (await isFile(blob)) return report(file.size)
  const partial = `${blob}.incomplete`
  try {
    await mkdir(path.dirname(blob), {recursive: true})
    if (file.size === 0) await writeFile(partial, '')
    await fetchAll(download, partial)
    await checkContent(download, partial)
    await rename(partial, blob)
  } catch (error) {
    throw fileSystemError(error, 'write', blob)
  }
}

async function fetchAll(download: Download, partial: string): Promise<void> {
  const {file, signal} = download
  let failures = 0
  for (let there = await sizeOf(partial); there !== file.size;) {
    try {
      await fetchOn(download, partial, there)
    } catch (error) {
      if (signal?.aborted) throw interrupted()
      // Errors of the disk and answers of the hub are final; a connection that breaks is not.
      const ofTheNetwork = error instanceof UnreachableError || !(error instanceof MambatuneError)
      if (!ofTheNetwork || isOfTheDisk(error)) throw error
      const now = await sizeOf(partial)
      failures = now > there ? 1 : failures + 1
      if (failures >= ATTEMPTS) throw error instanceof UnreachableError ? error : unreachable(download, error)
      await wait(FIRST_WAIT * 2 ** (failures - 1), undefined, {signal}).catch(() => {
        throw interrupted()
      })
    }

    there = await sizeOf(partial)
  }
}

function isOfTheDisk(error: unknown): boolean {
  return ['EACCES', 'EDQUOT', 'EFBIG', 'EIO', 'EISDIR', 'ENOSPC', 'EPERM', 'EROFS'].includes(systemCode(error) ?? '')
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({size}) => size,
    () => 0,
  )
}

/** One request: what is missing, or all of it if the server does not go on from the middle. */
async function fetchOn(download: Download, partial: string, there: number): Promise<void> {
  const {commit, file} = download
  const segments = file.path.split('/').map(encodeURIComponent).join('/')
  const address = `${addressOf(download)}/resolve/${commit}/${segments}`
  const from = there < file.size ? there : 0
  const answer = await fetchOf(download)(address, {
    headers: {'accept-encoding': 'identity', ...(from > 0 && {range: `bytes=${from}-`})},
  })
  const goesOn = answer.status === 206 && answer.headers.get('content-range')?.startsWith(`bytes ${from}-`) === true
  if (!answer.ok || !answer.body) {
    await answer.body?.cancel()
    // The rest that was asked for does not exist: what is there is of another file.
    if (answer.status === 416) return rm(partial, {force: true})
    if (answer.status >= 500) throw new Error(`status ${answer.status}`)
    throw statusError(download, answer.status, file.path)
  }

  const handle = await open(partial, goesOn ? 'a' : 'w')
  try {
    await append(download, handle, answer.body, goesOn ? from : 0)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function append(
  {file, report}: Download,
  handle: FileHandle,
  body: NonNullable<Response['body']>,
  from: number,
): Promise<void> {
  let there = from
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    there += chunk.length
    if (there > file.size) throw tooLong(file)
    await writeAll(handle, chunk)
    report(there)
  }

  if (there < file.size) throw new Error('the connection ended early')
}

function tooLong({path: name, size}: HubFile): FileError {
  return new FileError(`${name} is longer than the ${counted(size, 'byte')} that the hub promises.`, {
    hint: 'Try again; if it stays so, something between here and the hub changes files.',
  })
}

/** SHA-256 of the content, or git's SHA-1 of it: see `git hash-object`. */
async function checkContent({file, name}: Download, partial: string): Promise<void> {
  const hash = createHash(file.hash.length === 64 ? 'sha256' : 'sha1')
  if (file.hash.length === 40) hash.update(`blob ${file.size}\0`)
  for await (const piece of createReadStream(partial, {highWaterMark: 2 ** 20})) hash.update(piece as Uint8Array)
  const got = hash.digest('hex')
  if (got === file.hash) return
  await rm(partial, {force: true})
  throw new FileError(`${file.path} of ${name.repository} arrived damaged; it was thrown away.`, {
    faults: [{message: `its hash is ${got}, expected ${file.hash}`, where: file.path}],
    hint: 'Try again; if it stays so, something between here and the hub changes files.',
  })
}

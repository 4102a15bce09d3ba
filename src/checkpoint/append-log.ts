/**
 * A text file that only grows, line by line, and knows its length and the SHA-256 of what is in it. A program that was
 * killed may have left more than it remembers; opening the file at a position cuts that off.
 */
import {createHash, type Hash} from 'node:crypto'
import {writeSync} from 'node:fs'
import {type FileHandle, open} from 'node:fs/promises'

import {fileSystemError, refusal} from './file-faults.js'

const PIECE_BYTES = 1024 * 1024

/** What a log held at some moment. */
export interface LogPosition {
  readonly bytes: number
  readonly sha256: string
}

export class AppendLog {
  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly hash: Hash,
    private bytes: number,
  ) {}

  /** A new, empty file; what is there already is emptied. */
  static async create(file: string): Promise<AppendLog> {
    try {
      return new AppendLog(file, await open(file, 'w'), createHash('sha256'), 0)
    } catch (error) {
      throw fileSystemError(error, 'write', file)
    }
  }

  /** Goes on from a position, cutting off what stands behind it. Errors: FileError if the file does not hold what it held. */
  static async reopen(file: string, at: LogPosition): Promise<AppendLog> {
    const hash = await checkedPrefix(file, at)
    try {
      const handle = await open(file, 'r+')
      await handle.truncate(at.bytes)
      return new AppendLog(file, handle, hash, at.bytes)
    } catch (error) {
      throw fileSystemError(error, 'write', file)
    }
  }

  /** At once, so that a killed program keeps its lines. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    try {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.handle.fd, bytes, done, bytes.length - done, this.bytes + done)
      }
    } catch (error) {
      throw fileSystemError(error, 'write', this.file)
    }
    this.hash.update(bytes)
    this.bytes += bytes.length
  }

  /** Where it is now; everything up to there is on the disk. */
  async settle(): Promise<LogPosition> {
    try {
      await this.handle.sync()
    } catch (error) {
      throw fileSystemError(error, 'write', this.file)
    }
    return {bytes: this.bytes, sha256: this.hash.copy().digest('hex')}
  }

  close(): Promise<void> {
    return this.handle.close()
  }
}

/** Throws a FileError unless the file begins with what it held at that position. */
export async function checkLog(file: string, at: LogPosition): Promise<void> {
  await checkedPrefix(file, at)
}

async function checkedPrefix(file: string, at: LogPosition): Promise<Hash> {
  const hash = createHash('sha256')
  const handle = await openToRead(file)
  try {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, at.bytes))
    for (let done = 0; done < at.bytes;) {
      const {bytesRead} = await handle.read(piece, 0, Math.min(piece.length, at.bytes - done), done)
      if (bytesRead === 0) throw changed(file, `it ends at byte ${done}; expected ${at.bytes} bytes at least`)
      hash.update(piece.subarray(0, bytesRead))
      done += bytesRead
    }
  } finally {
    await handle.close()
  }
  if (hash.copy().digest('hex') !== at.sha256) {
    throw changed(file, `its first ${at.bytes} bytes are not those that the checkpoint saw`)
  }
  return hash
}

async function openToRead(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r')
  } catch (error) {
    throw fileSystemError(error, 'read', file)
  }
}

function changed(file: string, message: string): Error {
  return refusal(`${file} has changed since the checkpoint.`, [{message, where: file}])
}

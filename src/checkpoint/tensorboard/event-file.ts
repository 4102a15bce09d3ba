/**
 * A file of events for TensorBoard: records of TFRecord's format, each
 *
 *   length u64 · masked CRC-32C of the length u32 · content · masked CRC-32C of the content u32,   little-endian
 *
 * A record is written at once and whole, so that a killed program leaves at most half of its last one, which readers pass
 * over. Names hold seconds and a number instead of the machine's name, which TensorFlow writes there.
 */
import {type FileHandle, open} from 'node:fs/promises'
import {writeSync} from 'node:fs'
import path from 'node:path'

import {fileSystemError, systemCode} from '../file-faults.js'
import {makeDirectory} from '../output-directory.js'
import {maskedCrc32c} from './crc32c.js'
import {join, type Scalar, scalarsEvent, startEvent, versionEvent} from './event-message.js'

export class EventFile {
  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly now: () => number,
  ) {}

  /** A new file in a directory, which is made if need be, of a program that goes on after `step`. `now` is in seconds. */
  static async create(directory: string, step: number, now: () => number = seconds): Promise<EventFile> {
    await makeDirectory(directory)
    const began = now()
    const {file, handle} = await openNew(directory, Math.floor(began))
    const events = new EventFile(file, handle, now)
    events.append(versionEvent(began))
    events.append(startEvent(began, step + 1))
    return events
  }

  scalars(step: number, values: readonly Scalar[]): void {
    this.append(scalarsEvent(this.now(), step, values))
  }

  close(): Promise<void> {
    return this.handle.close()
  }

  private append(content: Uint8Array): void {
    try {
      writeSync(this.handle.fd, record(content))
    } catch (error) {
      throw fileSystemError(error, 'write', this.file)
    }
  }
}

export function record(content: Uint8Array): Uint8Array {
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(content.length), true)
  return join([length, checksum(length), content, checksum(content)])
}

function checksum(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(4)
  new DataView(result.buffer).setUint32(0, maskedCrc32c(bytes), true)
  return result
}

/** Two runs of a second have two numbers. */
async function openNew(directory: string, began: number): Promise<{file: string; handle: FileHandle}> {
  for (let number = 0; ; number++) {
    const file = path.join(directory, `events.out.tfevents.${began}.mambatune.${number}`)
    try {
      return {file, handle: await open(file, 'wx')}
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw fileSystemError(error, 'write', file)
    }
  }
}

function seconds(): number {
  return Date.now() / 1000
}

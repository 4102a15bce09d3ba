/** The bytes of a file, unpacked on the way where it is compressed. Zstandard needs a Node that has it (22.15 and later). */
import {createReadStream} from 'node:fs'
import {pipeline, type Readable, type Transform} from 'node:stream'
import * as zlib from 'node:zlib'

import {DataError} from '../errors.js'

export type Compression = 'none' | 'gzip' | 'zstd'

/** Errors come with the iteration: those of the disk, and those of `isUnpackingError`. */
export function openBytes(file: string, compression: Compression): AsyncIterable<Buffer> {
  const bytes = createReadStream(file)
  if (compression === 'none') return bytes
  // With a callback of its own, so that an error of the one stream ends the other and is thrown where it is read.
  return pipeline(bytes, compression === 'gzip' ? zlib.createGunzip() : unpackZstandard(file), () => {}) as Readable
}

/** Whether the error says that the compressed bytes are damaged or end early. */
export function isUnpackingError(error: unknown): boolean {
  return /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(String((error as NodeJS.ErrnoException).code))
}

function unpackZstandard(file: string): Transform {
  const {createZstdDecompress} = zlib as {createZstdDecompress?: () => Transform}
  if (createZstdDecompress) return createZstdDecompress()
  throw new DataError(`${file} is compressed with Zstandard, which this version of Node cannot unpack.`, {
    hint: `zstd --decompress ${file}, or Node 22.15 or later`,
  })
}

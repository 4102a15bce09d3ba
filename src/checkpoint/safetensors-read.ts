/**
 * Reads safetensors files: the header with everything checked, then single tensors. Never the whole file: a header is
 * read only after its length was checked against the file, a tensor only when it is asked for.
 */
import {Buffer} from 'node:buffer'
import {type FileHandle, open, stat} from 'node:fs/promises'
import path from 'node:path'

import {FileError, MemoryError} from '../errors.js'
import {isFloatDtype, toFloat32} from './dtypes.js'
import {counted, fileSystemError, quoted, refusal} from './file-faults.js'
import {
  HEADER_LIMIT,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js'

/** Bytes per call of the operating system, which takes less than 2 GiB at a time. */
const READ_BYTES = 256 * 1024 * 1024

const DAMAGED_HINT = 'Download or copy the file again; if it stays so, the program that wrote it is at fault.'

export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  return withFile(file, async (handle, fileSize) => {
    const headerBytes = await readHeaderLength(handle, file, fileSize)
    const bytes = new Uint8Array(headerBytes)
    await readInto(handle, bytes, LENGTH_BYTES, file)
    const text = decodeHeader(bytes)
    if (text === null) throw damaged(file, 'the header is not text in UTF-8')
    const {faults, header} = parseHeader(text, file, LENGTH_BYTES + headerBytes, fileSize)
    if (faults.length > 0) throw refusal(summary(file), faults, DAMAGED_HINT)
    return header
  })
}

/** Bytes [begin, end) of a file. */
export async function readPart(file: string, {begin, end}: Pick<TensorEntry, 'begin' | 'end'>): Promise<Uint8Array> {
  return withFile(file, async (handle) => {
    const bytes = new Uint8Array(end - begin)
    await readInto(handle, bytes, begin, file)
    return bytes
  })
}

/** The values as they lie in the file. */
export async function readTensorBytes(entry: TensorEntry): Promise<Uint8Array> {
  return withFile(entry.file, async (handle) => {
    const bytes = allocate(entry)
    await readInto(handle, bytes, entry.begin, entry.file)
    return bytes
  })
}

/** Of F64, F32, F16 and BF16; a FileError names a tensor of any other dtype. */
export async function readTensorFloat32(entry: TensorEntry): Promise<Float32Array> {
  const {dtype, file, name} = entry
  if (!isFloatDtype(dtype)) {
    throw new FileError(
      `Cannot read tensor ${quoted(name)} of ${file} as floating-point values: it is ${dtype}; expected F64, F32, F16 or BF16`,
    )
  }

  return toFloat32(await readTensorBytes(entry), dtype)
}

/** The bytes of a tensor piece by piece. The pieces share one buffer: use each before asking for the next. */
export async function* readTensorPieces(entry: TensorEntry, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const handle = await openFile(entry.file)
  try {
    const buffer = new Uint8Array(Math.min(pieceBytes, entry.end - entry.begin))
    for (let at = entry.begin; at < entry.end; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, entry.end - at))
      await readInto(handle, piece, at, entry.file)
      yield piece
    }
  } finally {
    await handle.close()
  }
}

/** Fills `target` from `position` of the file on, in reads that the operating system can do. */
export async function readInto(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
  file: string,
  readBytes = READ_BYTES,
): Promise<void> {
  for (let done = 0; done < target.length;) {
    const length = Math.min(readBytes, target.length - done)
    let bytesRead: number
    try {
      ;({bytesRead} = await handle.read(target, done, length, position + done))
    } catch (error) {
      throw fileSystemError(error, 'read', file)
    }

    if (bytesRead === 0) {
      throw damaged(file, `the file ends at byte ${position + done}; expected ${target.length - done} more bytes`)
    }

    done += bytesRead
  }
}

async function withFile<Result>(
  file: string,
  use: (handle: FileHandle, fileSize: number) => Promise<Result>,
): Promise<Result> {
  const handle = await openFile(file)
  try {
    return await use(handle, (await handle.stat()).size)
  } finally {
    await handle.close()
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    // Asked before opening, because opening a pipe would wait for its writer.
    if (!(await stat(file)).isFile()) throw new FileError(`Cannot read ${file}: it is not a file`)
    return await open(file, 'r')
  } catch (error) {
    throw fileSystemError(error, 'read', file)
  }
}

async function readHeaderLength(handle: FileHandle, file: string, fileSize: number): Promise<number> {
  const start = new Uint8Array(Math.min(LENGTH_BYTES, fileSize))
  await readInto(handle, start, 0, file)
  const other = otherFormat(Buffer.from(start).toString('latin1'))
  if (other !== null) throw refusal(summary(file), [{message: other.message, where: path.basename(file)}], other.hint)
  if (start.length < LENGTH_BYTES) {
    throw damaged(file, `the file has ${counted(fileSize, 'byte')}; a safetensors file has at least ${LENGTH_BYTES}`)
  }

  const length = new DataView(start.buffer).getBigUint64(0, true)
  if (length > BigInt(HEADER_LIMIT)) {
    throw damaged(file, `the header would have ${length} bytes, more than the ${HEADER_LIMIT} that are allowed`)
  }

  const room = fileSize - LENGTH_BYTES
  if (Number(length) > room) {
    throw damaged(
      file,
      `the file is truncated: the header takes ${length} bytes, the file has ${room} after its length`,
    )
  }

  return Number(length)
}

/** What people mistake for safetensors files, told from the first bytes. */
function otherFormat(start: string): {message: string; hint: string} | null {
  if (start === 'version ') {
    return {
      hint: 'Run `git lfs pull` where the file came from, or download it again.',
      message: 'this is a Git LFS pointer, a note of where the file is kept, not the file itself',
    }
  }

  if (start.startsWith('PK\u0003\u0004') || start.startsWith('\u0080\u0002')) {
    return {
      hint: 'Name it pytorch_model.bin, without a model.safetensors beside it, and it is read as what it is.',
      message: 'this is a PyTorch file, not a safetensors file',
    }
  }

  return null
}

function decodeHeader(bytes: Uint8Array): string | null {
  try {
    // A byte order mark is kept, so that it is refused: the format wants '{' first.
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    return null
  }
}

function allocate({begin, end, file, name}: TensorEntry): Uint8Array {
  try {
    return new Uint8Array(end - begin)
  } catch (error) {
    throw new MemoryError(`No memory for tensor ${quoted(name)} of ${file}: it takes ${end - begin} bytes`, {
      cause: error,
      hint: 'Free memory, or use a machine with more of it.',
    })
  }
}

function summary(file: string): string {
  return `Cannot read ${file} as a safetensors file`
}

function damaged(file: string, message: string): FileError {
  return refusal(summary(file), [{message, where: path.basename(file)}], DAMAGED_HINT)
}

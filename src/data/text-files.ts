/**
 * Bytes of a file as text: line by line without holding the file, or whole. Text is UTF-8; a byte order mark at the start is dropped.
 * Bytes that are not UTF-8 become faults that name the line; nothing is ever replaced in silence.
 */
import {constants, isUtf8} from 'node:buffer'
import {access, stat, constants as modes} from 'node:fs/promises'

import {FileError, type Fault} from '../errors.js'
import {type FaultList} from './fault-list.js'
import {type Compression, openBytes} from './unpack.js'

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its line feed; a carriage return before that stays, which is white space to JSON. */
  readonly text: string
}

const lineFeed = 0x0a

const EMPTY_DIRECTORY =
  'is a directory without data files for this use; they end in .jsonl, .json, .csv, .tsv, .parquet or .txt, also with .gz after it'

/** Throws one FileError for all files that cannot be read. */
export async function requireFiles(files: readonly string[]): Promise<void> {
  const faults: Fault[] = []
  for (const file of files) {
    const message = await unreadable(file)
    if (message !== null) faults.push({where: file, message})
  }

  if (faults.length === 0) return
  const hint = 'check the paths; relative ones start at the directory that the command is run in'
  throw new FileError(`Data files that cannot be read: ${faults.length}.`, {faults, hint})
}

/** Lines of a file, streamed. Lines that are not UTF-8 are reported and left out. */
export async function* readLines(
  file: string,
  faults: FaultList,
  compression: Compression = 'none',
): AsyncGenerator<Line> {
  let number = 0
  for await (const bytes of splitLines(openBytes(file, compression))) {
    number++
    if (number === 1 && reportUtf16(bytes, file, faults)) return
    if (!isUtf8(bytes)) {
      reportInvalid(file, number, bytes, faults)
      continue
    }

    const text = bytes.toString('utf8')
    yield {number, text: number === 1 ? withoutMark(text) : text}
  }
}

/** The whole file; null after reporting what is wrong with it. */
export async function readWhole(
  file: string,
  faults: FaultList,
  compression: Compression = 'none',
): Promise<string | null> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of openBytes(file, compression)) {
    pieces.push(piece)
    size += piece.length
    if (size <= constants.MAX_STRING_LENGTH) continue
    const message = `is longer than the ${constants.MAX_STRING_LENGTH} bytes that a file of this kind may have`
    faults.add(file, message, 'split it, or use .jsonl')
    return null
  }

  const bytes = Buffer.concat(pieces)
  if (isUtf8(bytes)) return withoutMark(bytes.toString('utf8'))
  if (reportUtf16(bytes, file, faults)) return null

  let number = 0
  for (let begin = 0; begin < bytes.length; number++) {
    const end = bytes.indexOf(lineFeed, begin)
    const line = bytes.subarray(begin, end < 0 ? bytes.length : end)
    if (!isUtf8(line)) reportInvalid(file, number + 1, line, faults)
    begin += line.length + 1
  }

  return null
}

async function unreadable(file: string): Promise<string | null> {
  try {
    const found = await stat(file)
    if (!found.isFile() && !found.isFIFO()) return found.isDirectory() ? EMPTY_DIRECTORY : 'is not a file'
    await access(file, modes.R_OK)
    return null
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file'
    return code === 'EACCES' || code === 'EPERM' ? 'no permission to read it' : `cannot be opened (${String(code)})`
  }
}

async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let open: Buffer[] = []
  for await (const chunk of chunks) {
    let begin = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, begin)) {
      open.push(chunk.subarray(begin, end))
      yield Buffer.concat(open)
      open = []
      begin = end + 1
    }

    if (begin < chunk.length) open.push(chunk.subarray(begin))
  }

  if (open.length > 0) yield Buffer.concat(open)
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

/** Windows programs call UTF-16 "Unicode"; every line of such a file would be a fault. */
function reportUtf16(bytes: Buffer, file: string, faults: FaultList): boolean {
  const marked = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (marked) faults.add(`${file}:1`, 'is UTF-16 text; expected UTF-8', 'save the file again as UTF-8')
  return marked
}

function reportInvalid(file: string, line: number, bytes: Buffer, faults: FaultList): void {
  const character = bytes.toString('utf8').indexOf('\uFFFD') + 1
  faults.add(`${file}:${line}`, `is not valid UTF-8 (at character ${character})`, 'save the file again as UTF-8')
}

/**
 * How rows lie in a file, and whether it is compressed. The first bytes decide where they are unmistakable (Parquet, gzip, Zstandard,
 * which their names do not always tell), then the name, then the first character: `{` for rows of JSON line by line, `[` for an array.
 */
import {open, stat} from 'node:fs/promises'

import {type Container, type ReadFile} from './dataset.js'
import {openBytes, type Compression} from './unpack.js'

const BY_NAME: readonly (readonly [RegExp, Container])[] = [
  [/\.(?:jsonl|ndjson)$/i, 'jsonl'],
  [/\.json$/i, 'json'],
  [/\.csv$/i, 'csv'],
  [/\.tsv$/i, 'tsv'],
  [/\.parquet$/i, 'parquet'],
  [/\.(?:txt|text|md)$/i, 'text'],
]

const COMPRESSED = /\.(?:gz|zst)$/i

/** Whether a file of a directory is taken for data, by its name alone. */
export function isDataName(name: string): boolean {
  return !/^(?:\.|README|LICENSE)/i.test(name) && containerOfName(name) !== null
}

/** null: of an unknown kind. `setting` is data.container. */
export async function detectContainer(file: string, setting: Container | 'auto'): Promise<ReadFile | null> {
  // A pipe gives its bytes once only, so its name has to do.
  const isFile = (await stat(file)).isFile()
  const first = isFile ? await firstBytes(file) : Buffer.alloc(0)
  const compression = compressionOf(first, file)
  if (setting !== 'auto') return {file, container: setting, compression, why: `data.container is ${setting}`}
  if (first.toString('latin1') === 'PAR1') return {file, container: 'parquet', compression, why: 'it begins with PAR1'}
  const named = containerOfName(file)
  if (named !== null) return {file, container: named, compression, why: `its name ends in ${endingOf(file)}`}
  const sign = isFile ? await firstSign(file, compression) : ''
  if (sign === '{') return {file, container: 'jsonl', compression, why: 'it begins with {'}
  if (sign === '[') return {file, container: 'json', compression, why: 'it begins with ['}
  return null
}

function containerOfName(name: string): Container | null {
  return BY_NAME.find(([ending]) => ending.test(name.replace(COMPRESSED, '')))?.[1] ?? null
}

function endingOf(file: string): string {
  return /\.[^./\\]+(?:\.(?:gz|zst))?$/i.exec(file)?.[0] ?? file
}

function compressionOf(first: Buffer, file: string): Compression {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip'
  if (first.toString('hex') === '28b52ffd') return 'zstd'
  if (first.length > 0) return 'none'
  return /\.gz$/i.test(file) ? 'gzip' : 'none'
}

async function firstBytes(file: string): Promise<Buffer> {
  const handle = await open(file)
  try {
    const {buffer, bytesRead} = await handle.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** The first character that is not white space; '' if there is none in the first piece. */
async function firstSign(file: string, compression: Compression): Promise<string> {
  for await (const piece of openBytes(file, compression)) {
    return piece.subarray(0, 4096).toString('utf8').replace('\uFEFF', '').trimStart().slice(0, 1)
  }
  return ''
}

/**
 * Examples in a file, for datasets that do not fit into memory. Rows are tokenised once, when the data are read; from then on a batch
 * reads its own rows and no others, in any order. The store lies in a cache directory under a key of everything that the rows come from,
 * so that the next run, or the same run going on, does not tokenise again:
 *
 *   <key>/rows      for each example: tokens n, runs r (-1: labels of its own), bytes of `where`; n ids; the labels; `where`
 *   <key>/offsets   where each example begins: 64-bit floats
 *   <key>/begins    the number of the first example of each row of the files: 64-bit floats
 *   <key>/facts     format, notes and the like, as JSON; written last, so that what has it is whole
 *
 * Labels that are the ids themselves in places are stored as the borders of these places: 2 r numbers; else as n numbers.
 */
import {createHash, randomUUID} from 'node:crypto'
import {closeSync, mkdirSync, openSync, rmSync, writeSync} from 'node:fs'
import {readdir, readFile, rename, rm, stat, utimes, writeFile} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../errors.js'
import {type DataSettings, type Dataset, type Example} from './dataset.js'
import {GrowingNumbers} from './growing-numbers.js'
import {encodeExample} from './stored-example.js'
import {storedExamples} from './stored-examples.js'
import {type Tokenizer} from './tokenizer.js'

export interface StorePlace {
  /** Holds the stores; made when one is written */
  readonly directory: string
  /** Bytes of examples that are kept in memory instead */
  readonly inMemory?: number
}

export type RowFacts = Omit<Dataset, 'examples' | 'rowBegins'>

/** Changes whenever the same files would become other examples than before. */
const VERSION = 2

const BUFFER = 2 ** 20

/** Stores that were not used for so long make room for a new one. */
const OLD = 30 * 24 * 3600 * 1000

/** null: what is read can be read only once, or its tokenizer is not known. */
export async function storeKey(
  files: readonly string[],
  tokenizer: Tokenizer | null,
  settings: DataSettings,
): Promise<string | null> {
  if (tokenizer && tokenizer.fingerprint === undefined) return null
  const hash = createHash('sha256').update(
    JSON.stringify([VERSION, tokenizer?.fingerprint, Object.entries(settings).sort()]),
  )
  for (const file of files) {
    const status = await stat(file, {bigint: true})
    if (!status.isFile()) return null
    const {ctimeNs, ino, mtimeNs, size} = status
    hash.update([file, path.resolve(file), ctimeNs, ino, mtimeNs, size].join('\0'))
  }
  return hash.digest('hex').slice(0, 32)
}

/** The dataset that was stored under the key; null if there is none. */
export async function findStored({directory}: StorePlace, key: string): Promise<Dataset | null> {
  const place = path.join(directory, key)
  const facts = await readFile(path.join(place, 'facts'), 'utf8').catch(() => null)
  const offsets = await readFile(path.join(place, 'offsets')).catch(() => null)
  const begins = await readFile(path.join(place, 'begins')).catch(() => null)
  if (facts === null || offsets === null || begins === null) return null
  const now = new Date()
  await utimes(place, now, now).catch(() => {}) // only keeps it from becoming old
  return {
    ...(JSON.parse(facts) as RowFacts),
    examples: storedExamples(path.join(place, 'rows'), numbersIn(offsets)),
    rowBegins: numbersIn(begins),
  }
}

function numbersIn(bytes: Buffer): Float64Array {
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

export class RowStoreWriter {
  private readonly partial: string
  private readonly file: number
  private readonly offsets = new GrowingNumbers()
  private written = 0
  private pending: Buffer[] = []
  private pendingBytes = 0

  constructor(
    private readonly directory: string,
    private readonly key: string | null,
  ) {
    this.partial = path.join(directory, `${randomUUID()}.partial`)
    this.file = this.writing(() => {
      mkdirSync(this.partial, {recursive: true})
      return openSync(path.join(this.partial, 'rows'), 'wx')
    })
  }

  add(example: Example): void {
    this.offsets.push(this.written + this.pendingBytes)
    const bytes = encodeExample(example)
    this.pending.push(bytes)
    this.pendingBytes += bytes.length
    if (this.pendingBytes >= BUFFER) this.flush()
  }

  async finish(facts: RowFacts, rowBegins: Float64Array): Promise<Dataset> {
    this.flush()
    closeSync(this.file)
    const offsets = this.offsets.all()
    const place = path.join(this.directory, this.key ?? randomUUID())
    try {
      await removeOld(this.directory)
      await writeFile(path.join(this.partial, 'offsets'), offsets)
      await writeFile(path.join(this.partial, 'begins'), rowBegins)
      await writeFile(path.join(this.partial, 'facts'), JSON.stringify(facts))
      await this.moveTo(place)
    } catch (error) {
      throw cannotStore(this.directory, error)
    }
    return {...facts, examples: storedExamples(path.join(place, 'rows'), offsets), rowBegins}
  }

  discard(): void {
    closeSync(this.file)
    rmSync(this.partial, {force: true, recursive: true})
  }

  /** If another run has stored the same meanwhile, that is as good. */
  private async moveTo(place: string): Promise<void> {
    await rename(this.partial, place).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
      await rm(this.partial, {force: true, recursive: true})
    })
  }

  private flush(): void {
    const bytes = Buffer.concat(this.pending)
    this.writing(() => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.file, bytes, done)
    })
    this.written += bytes.length
    this.pending = []
    this.pendingBytes = 0
  }

  private writing<Result>(write: () => Result): Result {
    try {
      return write()
    } catch (error) {
      throw cannotStore(this.directory, error)
    }
  }
}

async function removeOld(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const place = path.join(directory, name)
    const status = await stat(place).catch(() => null)
    if (status && Date.now() - status.mtimeMs > OLD) await rm(place, {force: true, recursive: true})
  }
}

function cannotStore(directory: string, error: unknown): FileError {
  const {code} = error as NodeJS.ErrnoException
  return new FileError(`The tokenised rows cannot be written to ${directory} (${String(code)}).`, {
    cause: error,
    hint: 'Set MAMBATUNE_CACHE to a directory with room for as many bytes as the data have.',
  })
}

/** Rows out of Parquet files, as they are decoded. The number in a place is that of the row: there are no lines. */
import {stat} from 'node:fs/promises'
import path from 'node:path'
import {type FaultList} from './fault-list.js'
import {type JsonRow} from './json-rows.js'
import {type Decoded, ParquetDecoder} from './parquet-decoder.js'

interface Limits {
  /** MiB of a row group, as objects */
  readonly memory: number
  /** Milliseconds for any file, and more for each MiB of a large one */
  readonly patience: number
  readonly patiencePerMib: number
}

/** Many times what a slow machine takes. */
const LIMITS: Limits = {memory: 2048, patience: 60_000, patiencePerMib: 1000}

/** A file that cannot be read is a fault, of the row that was next. Errors: those of the file system. */
export async function* readParquet(file: string, faults: FaultList, limits = LIMITS): AsyncGenerator<JsonRow> {
  const {memory, patience, patiencePerMib} = limits
  const longest = patience + (patiencePerMib * (await stat(file)).size) / 2 ** 20
  const decoder = ParquetDecoder.take(memory)
  let row = 1
  try {
    let next: Promise<Decoded> | null = decoder.decode(path.resolve(file), longest)
    while (next) {
      const decoded: Decoded = await next
      if (decoded.failure) {
        const {errno, message} = decoded.failure
        if (errno !== undefined) throw Object.assign(new Error(message), decoded.failure)
        faults.add(`${file}:${row}`, `is not Parquet that can be read: ${message}`)
        return
      }
      // The process goes on while these are used.
      next = decoded.isLast ? null : decoder.decode(null, longest)
      for (const value of decoded.rows) yield {value, where: `${file}:${row++}`}
    }
  } finally {
    decoder.release()
  }
}

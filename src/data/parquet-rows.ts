/**
 * Rows out of Parquet files, a row group at a time, through hyparquet. The number in a place is that of the row: there are no lines.
 * 64-bit integers become numbers where they can.
 */
import {type FaultList} from './fault-list.js'
import {type JsonRow} from './json-rows.js'
import {isJsonObject} from './json-value.js'

export async function* readParquet(file: string, faults: FaultList): AsyncGenerator<JsonRow> {
  const [{asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects}, {compressors}] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ])
  let first = 0
  try {
    const buffer = await asyncBufferFromFile(file)
    const metadata = await parquetMetadataAsync(buffer)
    for (const {num_rows: count} of metadata.row_groups) {
      const rowEnd = first + Number(count)
      const rows = await parquetReadObjects({compressors, file: buffer, metadata, rowEnd, rowStart: first})
      for (const [index, row] of rows.entries()) yield {value: plain(row), where: `${file}:${first + index + 1}`}
      first = rowEnd
    }
  } catch (error) {
    if (isOfTheDisk(error)) throw error
    faults.add(`${file}:${first + 1}`, `is not Parquet that can be read: ${(error as Error).message}`)
  }
}

/** Errors of the file system have a number; those of the decoder, which may be of any kind on damaged bytes, have none. */
function isOfTheDisk(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).errno === 'number'
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain)
  if (Array.isArray(value)) return value.map(plain)
  if (!isJsonObject(value) || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]))
}

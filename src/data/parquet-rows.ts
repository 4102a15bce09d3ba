/**
 * Rows out of Parquet files, a row group at a time, through hyparquet. The number in a place is that of the row: there are no lines.
 * 64-bit integers become numbers where they can.
 */
import type {AsyncBuffer, FileMetaData, SchemaTree} from 'hyparquet'
import {type FaultList} from './fault-list.js'
import {type JsonRow} from './json-rows.js'
import {isJsonObject} from './json-value.js'

export async function* readParquet(file: string, faults: FaultList): AsyncGenerator<JsonRow> {
  const [{asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema}, {compressors}] =
    await Promise.all([import('hyparquet'), import('hyparquet-compressors')])
  let first = 0
  try {
    const buffer = partsOf(await asyncBufferFromFile(file))
    const metadata = await parquetMetadataAsync(buffer)
    checkColumns(leavesOf(parquetSchema(metadata)), metadata)
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

/**
 * The same bytes, for a reader that asks for many parts and may wait for a few: a place that no file has is no part, not an error on the
 * spot, and a part that nobody waits for may fail.
 */
function partsOf(whole: AsyncBuffer): AsyncBuffer {
  return {
    byteLength: whole.byteLength,
    slice(from, to) {
      const part = Promise.resolve().then(() => whole.slice(from, to))
      part.catch(() => {})
      return part
    },
  }
}

/** Names of the columns that hold values, each of the names that lead to it. */
function leavesOf({children, path}: SchemaTree): string[] {
  return children.length === 0 ? [JSON.stringify(path)] : children.flatMap(leavesOf)
}

/**
 * hyparquet reads all columns of a row group at once and waits for those that the schema names, once each. The failure of any other
 * would be nobody's, and end the process. Errors: Error.
 */
function checkColumns(leaves: readonly string[], {row_groups: groups}: FileMetaData): void {
  for (const [index, {columns}] of groups.entries()) {
    const left = new Set(leaves)
    const wrong = columns.find(({meta_data: own}) => !left.delete(JSON.stringify(own?.path_in_schema ?? null)))
    if (!wrong) continue
    const name = wrong.meta_data?.path_in_schema.join('.') ?? 'without a name'
    throw new Error(
      `row group ${index + 1} has a column ${JSON.stringify(name)} twice, or one that the schema does not have`,
    )
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

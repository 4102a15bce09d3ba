/**
 * Rows of a Parquet file as values that JSON could hold, a row group at a time, through hyparquet. 64-bit integers become numbers where
 * they can. hyparquet trusts what a file says; what it would end the process for, or read for ever, is refused here. The rest is why this
 * runs in a process of its own (parquet-decoder.ts).
 */
import {asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema} from 'hyparquet'
import {compressors} from 'hyparquet-compressors'
import {parquetHeader} from 'hyparquet/src/column.js'

/** Rows of a piece at most */
const PIECE = 4096

/**
 * Errors: those of the file system, and Error for what cannot be read.
 * @param {string} file
 * @returns {AsyncGenerator<unknown[], void>}
 */
export async function* piecesOf(file) {
  const whole = await asyncBufferFromFile(file)
  const metadata = await parquetMetadataAsync(partsOf(whole, []))
  checkColumns(leavesOf(parquetSchema(metadata)), metadata)
  const checked = partsOf(whole, metadata.row_groups.flatMap(chunksOf))
  let rowStart = 0
  for (const {num_rows: count} of metadata.row_groups) {
    const rowEnd = rowStart + Number(count)
    const rows = await parquetReadObjects({compressors, file: checked, metadata, rowEnd, rowStart})
    for (let first = 0; first < rows.length; first += PIECE) yield rows.slice(first, first + PIECE).map(plain)
    rowStart = rowEnd
  }
}

/**
 * The same bytes, for a reader that asks for many parts and may wait for a few: a place that no file has is no part, not an error on the
 * spot, and a part that nobody waits for may fail. The pages of columns in a part are looked at before they are handed out.
 */
function partsOf({byteLength, slice}, chunks) {
  return {
    byteLength,
    slice(from, to) {
      const part = Promise.resolve()
        .then(() => slice(from, to))
        .then((bytes) => {
          for (const {count, end, name, start} of chunks) {
            if (start < from || end > from + bytes.byteLength) continue
            checkPages(new DataView(bytes, start - from, end - start), {count, name})
          }
          return bytes
        })
      part.catch(() => {})
      return part
    },
  }
}

/** Where the columns of a row group lie, and how many values they say to have. */
function chunksOf({columns}) {
  return columns.flatMap(({meta_data: own}) => {
    if (!own) return []
    const {data_page_offset: data, dictionary_page_offset: dictionary} = own
    const start = Number(dictionary && dictionary < data ? dictionary : data)
    const end = start + Number(own.total_compressed_size)
    return [{count: Number(own.num_values), end, name: own.path_in_schema.join('.'), start}]
  })
}

const isCount = (value) => Number.isInteger(value) && value >= 0

/** A length that is missing or negative, which hyparquet would read on from. Errors: Error. */
function checkPages(view, {count, name}) {
  const reader = {offset: 0, view}
  for (let page = 1; reader.offset < view.byteLength - 1; page++) {
    const header = parquetHeader(reader)
    const {compressed_page_size: size, data_page_header_v2: second, uncompressed_page_size: whole} = header
    const {num_values: values} = second ?? header.data_page_header ?? header.dictionary_page_header ?? {}
    const isData = header.type !== 'DICTIONARY_PAGE'
    const isRight =
      [size, whole, values].every(isCount) &&
      size <= view.byteLength - reader.offset &&
      (!isData || values <= count) &&
      (!second || levelsFit(second, size))
    if (!isRight) throw new Error(`page ${page} of column ${name} has a length that cannot be`)
    reader.offset += size
  }
}

function levelsFit(header, size) {
  const {definition_levels_byte_length: definition, num_nulls: nulls, num_rows: rows, num_values: values} = header
  const repetition = header.repetition_levels_byte_length
  return [definition, repetition, nulls, rows].every(isCount) && definition + repetition <= size && nulls <= values
}

/** Names of the columns that hold values, each of the names that lead to it. */
function leavesOf({children, path}) {
  return children.length === 0 ? [JSON.stringify(path)] : children.flatMap(leavesOf)
}

/**
 * hyparquet reads all columns of a row group at once and waits for those that the schema names, once each. The failure of any other
 * would be nobody's. Errors: Error.
 */
function checkColumns(leaves, {row_groups: groups}) {
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

function plain(value) {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (ArrayBuffer.isView(value)) return Array.from(value, plain)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]))
}

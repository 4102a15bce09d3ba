/** The rows of a file that holds rows, whatever its container. */
import {type ReadFile} from './dataset.js'
import {type FaultList} from './fault-list.js'
import {type JsonRow, readJsonArray, readJsonLines} from './json-rows.js'

export async function* rowsOf({compression, container, file}: ReadFile, faults: FaultList): AsyncGenerator<JsonRow> {
  switch (container) {
    case 'jsonl':
      return yield* readJsonLines(file, faults, compression)
    case 'json':
      return yield* readJsonArray(file, faults, compression)
    case 'csv':
    case 'tsv': {
      const {readCsv} = await import('./csv-rows.js')
      return yield* readCsv(file, faults, compression, container === 'csv' ? ',' : '\t')
    }
    case 'parquet': {
      if (compression !== 'none') {
        return faults.add(
          file,
          `is Parquet inside of ${compression}, which cannot be read row by row`,
          'unpack it first',
        )
      }
      const {readParquet} = await import('./parquet-rows.js')
      return yield* readParquet(file, faults)
    }
    case 'text':
      throw new TypeError('a plain text has no rows')
  }
}

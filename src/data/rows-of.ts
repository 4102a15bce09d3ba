/** The rows of a file that holds rows, whatever its container. */
import {type ReadFile} from './dataset.js'
import {type FaultList} from './fault-list.js'
import {type JsonRow, readJsonArray, readJsonLines} from './json-rows.js'

export async function* rowsOf({compression, container, file}: ReadFile, faults: FaultList): AsyncGenerator<JsonRow> {
  switch (container) {
    case 'jsonl':
      yield* readJsonLines(file, faults, compression)
      return
    case 'json':
      yield* readJsonArray(file, faults, compression)
      return
    case 'csv':
    case 'tsv': {
      const {readCsv} = await import('./csv-rows.js')
      yield* readCsv(file, faults, compression, container === 'csv' ? ',' : '\t')
      return
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
      yield* readParquet(file, faults)
      return
    }
    case 'text':
      throw new TypeError('a plain text has no rows')
  }
}

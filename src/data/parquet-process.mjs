/** The process of parquet-decoder.ts: told a file, and then to go on, it answers with the next rows, or with what failed. */
import process from 'node:process'
import {Worker} from 'node:worker_threads'
import {piecesOf} from './parquet-groups.mjs'

let pieces

new Worker(new URL('watch-parent-process.mjs', import.meta.url), {workerData: {parent: process.ppid}}).unref()
// A terminal sends Ctrl+C to both; what it means is for the other to say.
process.on('SIGINT', () => {})
process.on('message', ({file}) => {
  if (file !== null) pieces = piecesOf(file)
  pieces.next().then(
    ({done, value: rows = []}) => process.send({isLast: done, rows}),
    ({code, errno, message, path, syscall}) =>
      process.send({failure: {code, errno, message: String(message), path, syscall}}),
  )
})

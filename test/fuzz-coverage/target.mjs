/** What Jazzer.js calls with inputs: one reader of scripts/fuzzed-readers.mjs, named by FUZZED_READER, in a directory of its own. */
import {mkdtempSync} from 'node:fs'
import path from 'node:path'
import {openReader, slugOf} from '../../scripts/feed-reader.mjs'
import {READERS} from '../../scripts/fuzzed-readers.mjs'

const {FUZZED_READER: slug, FUZZING_DIRECTORY: directory} = process.env
const reader = READERS.find((one) => slugOf(one) === slug)
const opened = openReader(reader, mkdtempSync(path.join(directory, 'reader-')))

export async function fuzz(data) {
  const {feed} = await opened
  await feed(data)
}

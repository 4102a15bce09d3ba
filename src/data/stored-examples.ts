/** The examples of a store as an array whose entries are read from the file when they are asked for. */
import {closeSync, openSync, readSync, statSync} from 'node:fs'

import {FileError} from '../errors.js'
import {type Example} from './dataset.js'
import {onDemand} from './on-demand.js'
import {decodeExample} from './stored-example.js'

export function storedExamples(file: string, offsets: Float64Array): readonly Example[] {
  return onDemand(offsets.length, (index) => readExample(file, offsets, index))
}

/** Opened for each reading: there is no moment at which a dataset would be closed. */
function readExample(file: string, offsets: Float64Array, index: number): Example {
  try {
    const handle = openSync(file, 'r')
    try {
      const end = index + 1 < offsets.length ? offsets[index + 1] : statSync(file).size
      const bytes = Buffer.alloc(end - offsets[index])
      const count = readSync(handle, bytes, 0, bytes.length, offsets[index])
      if (count < bytes.length) throw new RangeError('the file ends early')
      return decodeExample(bytes)
    } finally {
      closeSync(handle)
    }
  } catch (error) {
    throw new FileError(`The tokenised row ${index + 1} cannot be read from ${file}.`, {
      cause: error,
      hint: 'Another program may have emptied the cache. Start again: the rows are then tokenised anew.',
    })
  }
}

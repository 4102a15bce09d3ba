/**
 * The examples of a store as an array whose entries are read when they are asked for. It is a real array's methods that run on it, over
 * entries and a length that come from here, so that nobody who takes examples has to know where they lie; but `[...examples]` or `map`
 * to the entries themselves would bring all of them into memory.
 */
import {closeSync, openSync, readSync, statSync} from 'node:fs'

import {FileError} from '../errors.js'
import {type Example} from './dataset.js'
import {decodeExample} from './stored-example.js'

export function storedExamples(file: string, offsets: Float64Array): readonly Example[] {
  const read = (index: number): Example => readExample(file, offsets, index)
  const isIndex = (name: string | symbol): name is string =>
    typeof name === 'string' && /^\d+$/.test(name) && Number(name) < offsets.length
  return new Proxy<readonly Example[]>([], {
    get(target, name) {
      if (name === 'length') return offsets.length
      return isIndex(name) ? read(Number(name)) : (Reflect.get(target, name) as unknown)
    },
    has: (target, name) => isIndex(name) || Reflect.has(target, name),
  })
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

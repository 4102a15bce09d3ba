/** One example as bytes, and back: see row-store.ts. */
import {type Example, ignoredLabel} from './dataset.js'

const HEADER = 3

export function encodeExample({ids, labels, where}: Example): Buffer {
  const runs = runsOf(ids, labels)
  const text = Buffer.from(where)
  const numbers = runs ?? labels
  const head = Int32Array.of(ids.length, runs ? runs.length / 2 : -1, text.length)
  return Buffer.concat([bytesOf(head), bytesOf(ids), bytesOf(numbers), text])
}

/** Errors: RangeError for bytes that hold no whole example. */
export function decodeExample(bytes: Buffer): Example {
  const [tokens, runs, textLength] = numbersIn(bytes, 0, HEADER)
  const ids = numbersIn(bytes, HEADER, tokens)
  const begin = HEADER + tokens
  const borders = runs < 0 ? tokens : 2 * runs
  const numbers = numbersIn(bytes, begin, borders)
  const where = bytes.toString('utf8', 4 * (begin + borders), 4 * (begin + borders) + textLength)
  if (runs < 0) return {ids, labels: numbers, where}
  const labels = new Int32Array(tokens).fill(ignoredLabel)
  for (let run = 0; run < borders; run += 2) {
    labels.set(ids.subarray(numbers[run], numbers[run + 1]), numbers[run])
  }
  return {ids, labels, where}
}

/** Begin and end of each run of labels that are their ids; null if some label is neither its id nor ignored. */
function runsOf(ids: Int32Array, labels: Int32Array): Int32Array | null {
  const borders: number[] = []
  for (let position = 0; position < ids.length; position++) {
    if (labels[position] === ignoredLabel) continue
    if (labels[position] !== ids[position]) return null
    if (borders.at(-1) === position) borders[borders.length - 1] = position + 1
    else borders.push(position, position + 1)
  }
  return borders.length > ids.length ? null : Int32Array.from(borders)
}

function bytesOf({buffer, byteLength, byteOffset}: Int32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** A copy, because the bytes of a file may begin anywhere. */
function numbersIn(bytes: Buffer, from: number, count: number): Int32Array {
  const numbers = new Int32Array(count)
  bytesOf(numbers).set(bytes.subarray(4 * from, 4 * (from + count)))
  return numbers
}

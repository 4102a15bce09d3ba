/**
 * How the rows of a matrix that is larger than one binding (maxStorageBufferBindingSize) are divided into windows, each in a
 * buffer of its own: as few windows as possible, of about one size, at rows that suit vectors and tiles.
 */
import {BYTES} from './stored.js'
import {type Format} from './shader.js'

/** Windows begin at multiples of this many rows, the height of the largest tile of a product; smaller windows at eights. */
const TILE = 128
const FEWEST = 8

/** First row of each window; null for what one binding shows whole, and for what cannot be divided so. */
export function windowStarts(shape: readonly number[], format: Format, bindingBytes: number): number[] | null {
  const [rows, columns] = shape
  const rowBytes = columns * BYTES[format]
  if (shape.length !== 2 || rows * rowBytes <= bindingBytes) return null
  const most = Math.floor(bindingBytes / rowBytes)
  if (most < FEWEST) return null
  const unit = most < TILE ? FEWEST : TILE
  const windows = Math.ceil(rows / (unit * Math.floor(most / unit)))
  const height = unit * Math.ceil(rows / windows / unit)
  return Array.from({length: Math.ceil(rows / height)}, (_, index) => index * height)
}

/**
 * The header of a safetensors file: JSON that maps each tensor's name to its dtype, shape and place in the data that
 * follow. This file checks the whole of it against the size of the file, without touching the data, and collects every
 * fault. The format: https://github.com/huggingface/safetensors#format
 */
import path from 'node:path'

import {type Fault} from '../errors.js'
import {bytesPerElement, isDtype, type SafetensorsDtype} from './dtypes.js'
import {counted, quoted} from './file-faults.js'
import {isObject, type JsonObject} from './json-file.js'
import {parseJson} from './json-text.js'

export interface TensorEntry {
  readonly name: string
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly file: string
  /** First byte, counted from the start of the file. */
  readonly begin: number
  /** One past the last byte, counted from the start of the file. */
  readonly end: number
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
}

/** The one key of a header that is not a tensor. */
export const METADATA_KEY = '__metadata__'

/** Bytes; the same limit as in the format's own library. */
export const HEADER_LIMIT = 100_000_000

/** Bytes before the header: its length as an unsigned 64-bit number. */
export const LENGTH_BYTES = 8

/** `text` is the header, `dataBegin` the first byte after it and `fileSize` the whole file, both in bytes. */
export function parseHeader(
  text: string,
  file: string,
  dataBegin: number,
  fileSize: number,
): {header: SafetensorsHeader; faults: readonly Fault[]} {
  const entries = new Map<string, TensorEntry>()
  let metadata: Readonly<Record<string, string>> = {}
  const inHeader = `${path.basename(file)}: header`
  const refused = (faults: readonly Fault[]): {header: SafetensorsHeader; faults: readonly Fault[]} => ({
    faults,
    header: {entries, metadata},
  })

  if (!text.startsWith('{')) {
    return refused([{message: `the header must begin with '{', got ${quoted(text.slice(0, 12))}`, where: inHeader}])
  }

  const json = parseJson(text)
  if (json.faults.length > 0 || !isObject(json.value)) {
    return refused(json.faults.map(({message, offset}) => ({message, where: `${inHeader}, character ${offset + 1}`})))
  }

  const faults: Fault[] = []
  for (const [name, value] of Object.entries(json.value)) {
    if (name === METADATA_KEY) {
      const found = readMetadata(value, inHeader)
      for (const fault of found.faults) faults.push(fault)
      metadata = found.metadata
    } else {
      const found = readEntry(name, value, file, dataBegin)
      if (found.entry === null) faults.push({message: found.faults.join('; '), where: nameOf(file, name)})
      else entries.set(name, found.entry)
    }
  }

  // With a tensor left out, every neighbour would seem to border on a hole.
  return refused(faults.length > 0 ? faults : checkLayout([...entries.values()], file, dataBegin, fileSize))
}

/** The number of elements, or null when it is no exact integer. */
export function elementCount(shape: readonly number[]): number | null {
  let count = 1
  for (const size of shape) {
    count *= size
    if (!Number.isSafeInteger(count)) return null
  }

  return count
}

export function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => isCount(size))
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function nameOf(file: string, name: string): string {
  return `${path.basename(file)}: ${quoted(name)}`
}

function readMetadata(value: unknown, where: string): {metadata: Readonly<Record<string, string>>; faults: Fault[]} {
  if (!isObject(value)) {
    const message = `${METADATA_KEY} must be an object of texts, got ${quoted(value)}`
    return {faults: [{message, where}], metadata: {}}
  }

  const wrong = Object.entries(value).filter(([, text]) => typeof text !== 'string')
  const faults = wrong.map(([key, text]) => ({
    message: `${METADATA_KEY} ${quoted(key)} must be a text, got ${quoted(text)}`,
    where,
  }))
  return {faults, metadata: faults.length === 0 ? (value as Readonly<Record<string, string>>) : {}}
}

function readEntry(
  name: string,
  value: unknown,
  file: string,
  dataBegin: number,
): {entry: TensorEntry; faults: readonly []} | {entry: null; faults: readonly string[]} {
  if (!isObject(value)) return {entry: null, faults: [`expected an object, got ${quoted(value)}`]}
  const {data_offsets: offsets, dtype, shape} = value
  const faults: string[] = []
  if (!isDtype(dtype)) {
    faults.push(`dtype ${quoted(dtype)} is not known; known are ${Object.keys(bytesPerElement).join(', ')}`)
  }

  if (!isShape(shape)) faults.push(`shape must be a list of whole numbers from 0, got ${quoted(shape)}`)
  faults.push(...checkOffsets(value))
  if (isDtype(dtype) && isShape(shape) && faults.length === 0) {
    const [begin, end] = offsets as [number, number]
    const mismatch = checkSize(dtype, shape, end - begin)
    if (mismatch === null) {
      return {entry: {begin: dataBegin + begin, dtype, end: dataBegin + end, file, name, shape}, faults: []}
    }

    faults.push(mismatch)
  }

  return {entry: null, faults}
}

function checkOffsets({data_offsets: offsets}: JsonObject): readonly string[] {
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((offset) => isCount(offset))) {
    return [`data_offsets must be two whole numbers from 0, got ${quoted(offsets)}`]
  }

  const [begin, end] = offsets as [number, number]
  return begin > end ? [`data_offsets end before they begin: ${quoted(offsets)}`] : []
}

function checkSize(dtype: SafetensorsDtype, shape: readonly number[], got: number): string | null {
  const count = elementCount(shape)
  const expected = count === null ? Infinity : count * bytesPerElement[dtype]
  if (!Number.isSafeInteger(expected)) return `shape ${quoted(shape)} has more elements than can be counted`
  if (expected === got) return null
  return `shape ${quoted(shape)} of ${dtype} takes ${counted(expected, 'byte')}, but data_offsets span ${got}`
}

/** Tensors must lie one after the other, with nothing between, before or after them. */
function checkLayout(
  entries: readonly TensorEntry[],
  file: string,
  dataBegin: number,
  fileSize: number,
): readonly Fault[] {
  const faults: Fault[] = []
  let reached = dataBegin
  let before = 'the header'
  for (const entry of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin > reached) {
      const message = `a hole of ${counted(entry.begin - reached, 'byte')} lies between ${before} and this tensor`
      faults.push({message, where: nameOf(file, entry.name)})
    } else if (entry.begin < reached) {
      const message = `overlaps ${before} by ${counted(Math.min(reached, entry.end) - entry.begin, 'byte')}`
      faults.push({message, where: nameOf(file, entry.name)})
    }

    if (entry.end >= reached) before = quoted(entry.name)
    reached = Math.max(reached, entry.end)
  }

  if (reached < fileSize) {
    const message = `${counted(fileSize - reached, 'surplus byte')} after the last tensor belong to no tensor`
    faults.push({message, where: path.basename(file)})
  } else if (reached > fileSize) {
    return [...faults, ...checkEnd(entries, faults.length === 0, file, dataBegin, fileSize)]
  }

  return faults
}

/** Data past the end: of a file cut short if all else is right, of single tensors otherwise. */
function checkEnd(
  entries: readonly TensorEntry[],
  contiguous: boolean,
  file: string,
  dataBegin: number,
  fileSize: number,
): readonly Fault[] {
  const beyond = entries.filter(({end}) => end > fileSize)
  const there = `${counted(Math.max(0, fileSize - dataBegin), 'byte')} of data`
  if (!contiguous) {
    return beyond.map(({begin, end, name}) => ({
      message: `data_offsets [${begin - dataBegin}, ${end - dataBegin}] reach past the end: the file has ${there}`,
      where: nameOf(file, name),
    }))
  }

  const expected = beyond.reduce((last, {end}) => Math.max(last, end), 0) - dataBegin
  const message =
    `the file is truncated: the header promises ${counted(expected, 'byte')} of data, the file has ${there}; ` +
    `${counted(beyond.length, 'tensor')} cut off`
  return [{message, where: path.basename(file)}]
}

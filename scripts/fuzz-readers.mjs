// Property-based fuzzing of every reader: good files, changed at random (bits, pieces, numbers, whole JSON values), must be
// read or refused with a typed error of ours, in a short time, and leave no file behind.
// After a build: node scripts/fuzz-readers.mjs [cases] [seed] [reader]
import fc from 'fast-check'
import {mkdir, mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import {openReader} from './feed-reader.mjs'
import {READERS} from './fuzzed-readers.mjs'

const HOSTILE = [
  '',
  '-1',
  '0',
  '1e999',
  '-0',
  '9007199254740993',
  '18446744073709551616',
  '1e-7',
  'NaN',
  'null',
  '{}',
  '[]',
  '"',
  '\\',
  '\0',
  '\uFEFF',
  '\r',
  '${x}',
  '__proto__',
  '"constructor"',
  '../../x',
  '/',
  '\u202E',
  '😀',
  '\uD800',
  '[[[[',
  '{"a":',
  '&a *a',
  '!!js/function',
  '<<: *x',
]

const place = fc.double({max: 1, min: 0, noNaN: true})

/** A change to some bytes, at a place that is a share of their length. */
const change = fc.oneof(
  fc.record({at: place, bit: fc.nat(7), kind: fc.constant('flip')}),
  fc.record({at: place, kind: fc.constant('cut')}),
  fc.record({at: place, kind: fc.constant('delete'), length: fc.nat(40)}),
  fc.record({at: place, kind: fc.constant('repeat'), length: fc.nat(200), times: fc.integer({max: 50, min: 1})}),
  fc.record({at: place, bytes: fc.uint8Array({maxLength: 12}), kind: fc.constant('insert')}),
  fc.record({
    at: place,
    kind: fc.constant('text'),
    text: fc.oneof(fc.constantFrom(...HOSTILE), fc.string({maxLength: 20})),
  }),
)

const number = fc.record({
  at: place,
  kind: fc.constant('number'),
  text: fc.oneof(fc.constantFrom(...HOSTILE), fc.double().map(String), fc.bigInt().map(String)),
})

const value = fc.record({at: place, kind: fc.constant('value'), text: fc.json({maxDepth: 3})})

/** Any, or such as mostly leave JSON what it is, so that what lies behind the parser has its turn. */
const changes = fc.oneof(
  fc.array(fc.oneof(change, number, value), {maxLength: 6, minLength: 1}),
  fc.array(fc.oneof(number, value), {maxLength: 2, minLength: 1}),
)

const joined = (...parts) => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))

/** The first match of a pattern from `at` on, replaced. */
function replaced(bytes, at, pattern, text) {
  const latin = bytes.toString('latin1')
  pattern.lastIndex = at
  const found = pattern.exec(latin)
  if (!found) return bytes
  return joined(bytes.subarray(0, found.index), text, bytes.subarray(found.index + found[0].length))
}

function applied(bytes, {at, bit, bytes: inserted, kind, length = 0, text, times}) {
  const start = Math.floor(at * bytes.length)
  const [before, after] = [bytes.subarray(0, start), bytes.subarray(start)]
  switch (kind) {
    case 'flip': {
      const copy = Buffer.from(bytes)
      if (start < copy.length) copy[start] ^= 1 << bit
      return copy
    }
    case 'cut':
      return before
    case 'delete':
      return joined(before, after.subarray(length))
    case 'repeat':
      return joined(before, ...Array.from({length: times}, () => after.subarray(0, length)), after)
    case 'insert':
      return joined(before, Buffer.from(inserted), after)
    case 'text':
      return joined(before, text, after)
    case 'number':
      return replaced(bytes, start, /-?\d+(\.\d+)?/g, text)
    default:
      return replaced(bytes, start, /"[^"]*"|-?\d+(\.\d+)?|true|false|null|\{[^{}]*\}|\[[^[\]]*\]/g, text)
  }
}

/**
 * Runs cases of all readers, or of one. Throws with the smallest case that a reader failed on.
 * @param {{cases: number, directory: string, note?: (text: string) => void, only?: string, seed?: number}} options
 * @returns {Promise<Record<string, {read: number, refused: number}>>}
 */
export async function fuzzReaders({cases, directory, note = () => {}, only, seed = 1}) {
  const readers = READERS.filter(({name}) => only === undefined || name === only)
  const counts = {}
  for (const [index, reader] of readers.entries()) {
    const runs = Math.ceil((cases * reader.share) / readers.reduce((sum, {share}) => sum + share, 0))
    counts[reader.name] = await fuzz(reader, {directory: path.join(directory, String(index)), runs, seed})
    note(`${reader.name}: ${counts[reader.name].read} read, ${counts[reader.name].refused} refused`)
  }
  return counts
}

async function fuzz(reader, {directory, runs, seed}) {
  await mkdir(directory, {recursive: true})
  const {feed, good} = await openReader(reader, directory)
  const count = {read: 0, refused: 0}
  await fc.assert(
    fc.asyncProperty(changes, async (list) => {
      count[await feed(list.reduce(applied, good))] += 1
    }),
    {endOnFailure: false, numRuns: runs, seed},
  )
  return count
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [cases = '1000000', seed = '1', only] = process.argv.slice(2)
  const directory = await mkdtemp(path.join(tmpdir(), 'mambatune-fuzz-'))
  await fuzzReaders({cases: Number(cases), directory, note: (text) => console.log(text), only, seed: Number(seed)})
  console.log(`memory at the end: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`)
  await rm(directory, {force: true, recursive: true})
}

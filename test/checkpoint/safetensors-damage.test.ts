/** Damaged safetensors files: each kind has its message, and no mutation of a file gets anything but an answer or a FileError. */
import {mkdir, writeFile} from 'node:fs/promises'
import path from 'node:path'

import {describe, expect, test} from '@jest/globals'

import {readSafetensorsHeader, readTensorBytes} from '../../src/checkpoint/safetensors.js'
import {EXIT, FileError} from '../../src/errors.js'
import {bytesOf, inScratch, put, rawFile, refusalOf} from './scratch.js'

const GOLDEN = 'test/fixtures/golden/mamba1/model.safetensors'

/** A header of U8 tensors at the given offsets. */
function tensors(places: Record<string, readonly [number, number]>): string {
  const members = Object.entries(places).map(([name, [begin, end]]) => [
    name,
    {data_offsets: [begin, end], dtype: 'U8', shape: [end - begin]},
  ])
  return JSON.stringify(Object.fromEntries(members))
}

/** A header of one tensor with some of its fields replaced. */
function one(fields: Record<string, unknown>): string {
  return JSON.stringify({t: {data_offsets: [0, 4], dtype: 'F32', shape: [1], ...fields}})
}

const data = (length: number): Uint8Array => new Uint8Array(length)
const good = rawFile(one({}), data(4))

const cases: [string, Uint8Array, ...string[]][] = [
  ['an empty file', data(0), 'the file has 0 bytes; a safetensors file has at least 8'],
  ['fewer bytes than a length takes', data(3), 'the file has 3 bytes'],
  ['a header of no bytes', rawFile('', data(0)), 'the header must begin with \'{\', got ""'],
  ['a header beyond the limit', rawFile('{}', data(0), 100_000_001n), 'the header would have 100000001 bytes'],
  [
    'an absurd header length',
    rawFile('{}', data(0), 2n ** 64n - 1n),
    'the header would have 18446744073709551615 bytes',
  ],
  [
    'a header longer than the file',
    rawFile('{}', data(5), 1000n),
    'the file is truncated: the header takes 1000 bytes, the file has 7',
  ],
  ['a header that is not UTF-8', rawFile(Uint8Array.of(0x7b, 0xff, 0x7d), data(0)), 'not text in UTF-8'],
  ['a byte order mark', rawFile('\uFEFF{}', data(0)), "must begin with '{'"],
  ['a header that begins with a space', rawFile(' {}', data(0)), 'must begin with \'{\', got " {}"'],
  ['a header that is a list', rawFile('[]', data(0)), "must begin with '{'"],
  ['a header that is not JSON', rawFile('{"t" 1}', data(0)), 'x.safetensors: header, character 6', `expected ':'`],
  ['a header cut in half', rawFile('{"t":{"dtype":', data(0)), 'the text ends where a value must stand'],
  ['something after the header', rawFile('{}x', data(0)), 'expected the end of the text'],
  ['deep nesting', rawFile(`{"t":${'['.repeat(5000)}`, data(0)), 'nested more than 100 deep'],
  [
    'a name that occurs twice',
    rawFile(`{"t":${one({}).slice(5, -1)},"t":${one({}).slice(5, -1)}}`, data(4)),
    'key "t" occurs twice',
  ],
  [
    'a field that occurs twice',
    rawFile(one({}).replace('{"data', '{"dtype":"U8","data'), data(4)),
    '"dtype" occurs twice',
  ],
  ['a tensor that is not an object', rawFile('{"t":[1]}', data(0)), 'x.safetensors: "t": expected an object, got [1]'],
  ['an unknown dtype', rawFile(one({dtype: 'F12'}), data(4)), 'dtype "F12" is not known; known are BF16'],
  ['a dtype that is an inherited name', rawFile(one({dtype: 'toString'}), data(4)), 'dtype "toString" is not known'],
  ['no dtype', rawFile(one({dtype: undefined}), data(4)), 'dtype undefined is not known'],
  ['a negative size', rawFile(one({shape: [-1]}), data(4)), 'shape must be a list of whole numbers from 0, got [-1]'],
  ['a fraction of a size', rawFile(one({shape: [0.5]}), data(4)), 'shape must be a list of whole numbers from 0'],
  ['a size beyond exact numbers', rawFile(one({shape: [2 ** 53]}), data(4)), 'shape must be a list of whole numbers'],
  ['a shape that is no list', rawFile(one({shape: 1}), data(4)), 'shape must be a list of whole numbers from 0, got 1'],
  [
    'a shape that overflows',
    rawFile(one({shape: [2 ** 30, 2 ** 30, 2 ** 30]}), data(4)),
    'has more elements than can be counted',
  ],
  ['a shape that overflows in bytes', rawFile(one({shape: [2 ** 52]}), data(4)), 'more elements than can be counted'],
  ['a shape that overflows before a zero', rawFile(one({shape: [2 ** 52, 2 ** 52, 0]}), data(4)), 'can be counted'],
  [
    'a shape of another size',
    rawFile(one({shape: [2]}), data(4)),
    'shape [2] of F32 takes 8 bytes, but data_offsets span 4',
  ],
  ['one offset', rawFile(one({data_offsets: [4]}), data(4)), 'data_offsets must be two whole numbers from 0, got [4]'],
  ['three offsets', rawFile(one({data_offsets: [0, 2, 4]}), data(4)), 'data_offsets must be two whole numbers'],
  ['negative offsets', rawFile(one({data_offsets: [-4, 0]}), data(4)), 'data_offsets must be two whole numbers'],
  ['offsets in text', rawFile(one({data_offsets: ['0', '4']}), data(4)), 'data_offsets must be two whole numbers'],
  ['offsets in the wrong order', rawFile(one({data_offsets: [4, 0]}), data(4)), 'end before they begin: [4,0]'],
  ['metadata that is no object', rawFile('{"__metadata__":[]}', data(0)), '__metadata__ must be an object of texts'],
  ['metadata that is no text', rawFile('{"__metadata__":{"a":1}}', data(0)), '__metadata__ "a" must be a text, got 1'],
  ['an overlap', rawFile(tensors({a: [0, 4], b: [2, 6]}), data(6)), 'x.safetensors: "b": overlaps "a" by 2 bytes'],
  ['the same place twice', rawFile(tensors({a: [0, 4], b: [0, 4]}), data(4)), '"b": overlaps "a" by 4 bytes'],
  [
    'a tensor inside another',
    rawFile(tensors({a: [0, 8], b: [2, 4], c: [8, 9]}), data(9)),
    '"b": overlaps "a" by 2 bytes',
  ],
  ['a hole', rawFile(tensors({a: [0, 4], b: [6, 8]}), data(8)), 'a hole of 2 bytes lies between "a" and this tensor'],
  ['a hole at the start', rawFile(tensors({a: [1, 4]}), data(4)), 'a hole of 1 byte lies between the header and this'],
  [
    'a file cut short',
    rawFile(tensors({a: [0, 4], b: [4, 8], c: [8, 12]}), data(7)),
    'the file is truncated: the header promises 12 bytes of data, the file has 7 bytes of data; 2 tensors cut off',
  ],
  [
    'surplus bytes',
    rawFile(tensors({a: [0, 4]}), data(7)),
    '3 surplus bytes after the last tensor belong to no tensor',
  ],
  ['data without tensors', rawFile('{}', data(1)), '1 surplus byte after the last tensor'],
  [
    'one tensor far outside',
    rawFile(tensors({a: [0, 4], b: [1000, 1004]}), data(8)),
    'a hole of 996 bytes',
    'data_offsets [1000, 1004] reach past the end: the file has 8 bytes of data',
  ],
  [
    'faults in several tensors, all at once',
    rawFile(
      '{"a":{"dtype":"X","shape":[-1],"data_offsets":[]},"b":1,"c":{"dtype":"U8","shape":[1],"data_offsets":[9,1]}}',
      data(0),
    ),
    '"a": dtype "X" is not known',
    'shape must be a list',
    'data_offsets must be two whole numbers',
    '"b": expected an object',
    '"c": data_offsets end before they begin',
  ],
  [
    'a name that would write to the terminal',
    rawFile('{"\\u001b[2J\\u009b\u202e":1}', data(0)),
    String.raw`"\u001b[2J\u009b\u202e": expected an object`,
  ],
  [
    'a pointer of Git LFS',
    new TextEncoder().encode('version https://git-lfs\noid'),
    'this is a Git LFS pointer',
    'git lfs pull',
  ],
  [
    'a PyTorch file',
    new TextEncoder().encode('PK\u0003\u0004 and more of it'),
    'this is a PyTorch file',
    'Name it pytorch_model.bin',
  ],
]

describe('refuses', () => {
  test.each(cases)('%s', async (_, content, ...messages) => {
    await inScratch(async (directory) => {
      const file = await put(directory, 'x.safetensors', content)
      const {error, text} = await refusalOf(readSafetensorsHeader(file))
      expect(error).toBeInstanceOf(FileError)
      expect(error.exit).toBe(EXIT.file)
      expect(text).toContain(`Cannot read ${file} as a safetensors file`)
      expect(error.hint).toBeDefined()
      for (const message of messages) expect(text).toContain(message)
    })
  })

  test('a missing file, a directory, a file below a file', async () => {
    await inScratch(async (directory) => {
      const file = await put(directory, 'x', good)
      await mkdir(path.join(directory, 'd'))
      const read = async (name: string): Promise<string> =>
        (await refusalOf(readSafetensorsHeader(path.join(directory, name)))).text
      expect(await read('missing')).toMatch(/^Cannot read .*missing: no such file or directory\n/)
      expect(await read('d')).toMatch(/^Cannot read .*d: it is not a file\n/)
      expect(await read('x/y')).toMatch(/^Cannot read .*y: a part of the path is not a directory\n/)
      expect(await read('nul\0byte')).toMatch(/this is not a possible file name/)
      expect((await readSafetensorsHeader(file)).entries.size).toBe(1)
    })
  })

  test('a real model cut anywhere, always as truncated', async () => {
    const whole = await bytesOf(GOLDEN)
    await inScratch(async (directory) => {
      for (const length of [8, 9, 100, 2151, 2152, 2153, 40_000, whole.length - 1]) {
        const file = await put(directory, 'x.safetensors', whole.subarray(0, length))
        expect((await refusalOf(readSafetensorsHeader(file))).text).toContain('the file is truncated')
      }
    })
  })

  test('a tensor inside another without blaming those that follow', async () => {
    const places = {a: [0, 8], b: [2, 4], c: [8, 9], d: [5, 6]} as const
    await inScratch(async (directory) => {
      const file = await put(directory, 'x.safetensors', rawFile(tensors(places), data(9)))
      const {error} = await refusalOf(readSafetensorsHeader(file))
      expect(error.faults).toEqual([
        {message: 'overlaps "a" by 2 bytes', where: 'x.safetensors: "b"'},
        {message: 'overlaps "a" by 1 byte', where: 'x.safetensors: "d"'},
      ])
    })
  })

  test.each<[string, (i: number) => unknown, number, string]>([
    ['no tensors at all', (i) => i, 0, 'expected an object'],
    ['tensors in one place', () => ({data_offsets: [0, 1], dtype: 'U8', shape: [1]}), 1, 'overlaps'],
    ['tensors cut off', (i) => ({data_offsets: [i, i + 1], dtype: 'U8', shape: [1]}), 1, '149999 tensors cut off'],
  ])('150,000 entries that are %s, with the first hundred', async (_, entry, length, message) => {
    const header = JSON.stringify(Object.fromEntries(Array.from({length: 150_000}, (_, i) => [`t${i}`, entry(i)])))
    await inScratch(async (directory) => {
      const file = await put(directory, 'x.safetensors', rawFile(header, data(length)))
      const {error, text} = await refusalOf(readSafetensorsHeader(file))
      expect(text).toContain(message)
      expect(error.faults.length).toBeLessThanOrEqual(101)
      if (error.faults.length > 1) expect(error.faults.at(-1)?.message).toMatch(/^… and 149(?:899|900) more$/)
    })
  })
})

test('4,000 random mutations: each file is read or refused with a FileError, and what is read is in the file', async () => {
  const header = JSON.stringify({
    __metadata__: {format: 'pt'},
    a: {data_offsets: [0, 8], dtype: 'F32', shape: [2, 1]},
    b: {data_offsets: [8, 12], dtype: 'BF16', shape: [2]},
    c: {data_offsets: [12, 12], dtype: 'U8', shape: [0]},
  })
  const valid = rawFile(header.padEnd(Math.ceil(header.length / 8) * 8), data(12))
  let state = 2_024
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }

  /** Bytes that mean something in a header come more often than others. */
  const meaningful = new TextEncoder().encode('{}[]",:0123456789-eFU \\')
  const mutate = (bytes: Uint8Array): Uint8Array => {
    const at = random(bytes.length)
    const kind = random(7)
    if (kind === 0) return bytes.slice(0, at)
    const rest = kind === 1 ? at + 1 + random(4) : Math.max(0, at - random(9))
    if (kind <= 2) return new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(Math.min(bytes.length, rest))])
    const copy = bytes.slice()
    // The length of the header deserves as much attention as all the rest; a byte of the data may be anything.
    const place = kind === 3 ? random(9) : kind === 4 ? copy.length - 1 - random(12) : at
    if (place >= 0 && place < copy.length) copy[place] = kind <= 5 ? random(256) : meaningful[random(meaningful.length)]
    return copy
  }

  await inScratch(async (directory) => {
    const file = path.join(directory, 'x.safetensors')
    let read = 0
    for (let round = 0; round < 4000; round += 1) {
      let bytes = valid
      for (let change = random(3); change >= 0 && bytes.length > 0; change -= 1) bytes = mutate(bytes)
      await writeFile(file, bytes)
      try {
        const {entries} = await readSafetensorsHeader(file)
        let covered = 0
        for (const entry of entries.values()) {
          const there = await readTensorBytes(entry)
          expect(Buffer.compare(there, bytes.subarray(entry.begin, entry.end))).toBe(0)
          covered += there.length
        }

        const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
        expect(covered).toBe(bytes.length - 8 - length)
        read += 1
      } catch (error) {
        if (!(error instanceof FileError)) throw error
      }
    }

    // Neither all nor none: else the mutations would be too tame or too wild to show anything.
    expect(read).toBeGreaterThan(100)
    expect(read).toBeLessThan(2000)
  })
})

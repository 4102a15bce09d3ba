/** Reading and writing safetensors: real files byte for byte, every dtype, large offsets. Damage is in its own file. */
import {type FileHandle, open, readFile, truncate, writeFile} from 'node:fs/promises'
import path from 'node:path'

import {describe, expect, test} from '@jest/globals'

import {bytesPerElement, fromFloat32, type SafetensorsDtype} from '../../src/checkpoint/dtypes.js'
import {readInto} from '../../src/checkpoint/safetensors-read.js'
import {
  readSafetensorsHeader,
  readTensorBytes,
  readTensorFloat32,
  readTensorPieces,
  type TensorSource,
  writeSafetensors,
} from '../../src/checkpoint/safetensors.js'
import {MemoryError} from '../../src/errors.js'
import {bytesOf, inScratch, namesIn, rawFile, refusalOf} from './scratch.js'

const GOLDEN = 'test/fixtures/golden/mamba1/model.safetensors'
const TINY = 'models/tiny-mamba/model.safetensors'

function source(name: string, dtype: SafetensorsDtype, shape: readonly number[], bytes: Uint8Array): TensorSource {
  return {bytes: async () => Promise.resolve(bytes), dtype, name, shape}
}

/** What the header says of each tensor, read with nothing of ours. */
async function plainHeader(file: string): Promise<Record<string, {shape: number[]; data_offsets: [number, number]}>> {
  const bytes = await readFile(file)
  return JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as never
}

describe.each([GOLDEN, TINY])('%s', (file) => {
  test('is read as its header says', async () => {
    const {entries, metadata} = await readSafetensorsHeader(file)
    const {__metadata__: format, ...expected} = await plainHeader(file)
    const whole = await bytesOf(file)
    const dataBegin = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true))
    expect(metadata).toEqual(format)
    expect([...entries.keys()]).toEqual(Object.keys(expected))
    for (const [name, {data_offsets: offsets, shape}] of Object.entries(expected)) {
      const entry = entries.get(name)
      if (entry === undefined) throw new Error(name)
      expect(entry.shape).toEqual(shape)
      const there = whole.subarray(dataBegin + offsets[0], dataBegin + offsets[1])
      expect(Buffer.compare(await readTensorBytes(entry), there)).toBe(0)
    }
  })

  test('written again, it is the same file byte for byte, whatever the order of the tensors', async () => {
    const {entries, metadata} = await readSafetensorsHeader(file)
    const sources = [...entries.values()]
      .reverse()
      .map((entry): TensorSource => ({...entry, bytes: async () => readTensorBytes(entry)}))
    await inScratch(async (directory) => {
      const copy = path.join(directory, 'copy.safetensors')
      await writeSafetensors(copy, sources, metadata)
      expect(Buffer.compare(await bytesOf(copy), await bytesOf(file))).toBe(0)
    })
  })
})

test('values of the golden model are those in the file', async () => {
  const {entries} = await readSafetensorsHeader(GOLDEN)
  const entry = entries.get('backbone.layers.0.mixer.D')
  if (entry === undefined) throw new Error('no such tensor')
  const values = await readTensorFloat32(entry)
  const buffer = await readFile(GOLDEN)
  expect(values).toHaveLength(64)
  expect([...values]).toEqual(Array.from({length: 64}, (_, i) => buffer.readFloatLE(entry.begin + 4 * i)))
})

test('every dtype goes out and comes back, and only floating-point ones are read as such', async () => {
  const dtypes = Object.keys(bytesPerElement) as SafetensorsDtype[]
  const bytes = Uint8Array.from({length: 24}, (_, i) => (i * 37 + 1) % 256)
  await inScratch(async (directory) => {
    const file = path.join(directory, 'all.safetensors')
    await writeSafetensors(
      file,
      dtypes.map((dtype) => source(`t.${dtype}`, dtype, [24 / bytesPerElement[dtype]], bytes)),
    )
    const {entries, metadata} = await readSafetensorsHeader(file)
    expect(metadata).toEqual({format: 'pt'})
    expect(entries.size).toBe(dtypes.length)
    for (const dtype of dtypes) {
      const entry = entries.get(`t.${dtype}`)
      if (entry === undefined) throw new Error(dtype)
      expect(entry.dtype).toBe(dtype)
      expect(await readTensorBytes(entry)).toEqual(bytes)
      if (['BF16', 'F16', 'F32', 'F64'].includes(dtype)) {
        expect(await readTensorFloat32(entry)).toHaveLength(24 / bytesPerElement[dtype])
      } else {
        const {text} = await refusalOf(readTensorFloat32(entry))
        expect(text).toContain(`"t.${dtype}"`)
        expect(text).toContain(`it is ${dtype}; expected F64, F32, F16 or BF16`)
      }
    }
  })
})

test('every tensor starts at a multiple of its width, whatever the names and the metadata', async () => {
  await inScratch(async (directory) => {
    for (let length = 0; length < 9; length += 1) {
      const file = path.join(directory, `${length}.safetensors`)
      const sources = [
        source('a', 'U8', [1], new Uint8Array(1)),
        source('b', 'F16', [1], new Uint8Array(2)),
        source('c', 'F32', [1], new Uint8Array(4)),
        source('d'.repeat(length + 1), 'F64', [1], new Uint8Array(8)),
      ]
      await writeSafetensors(file, sources, {})
      for (const {begin, dtype} of (await readSafetensorsHeader(file)).entries.values()) {
        expect(begin % bytesPerElement[dtype]).toBe(0)
      }
    }
  })
})

test('scalars, empty tensors and odd names are nothing special', async () => {
  const names = ['', '0', '__proto__', 'constructor', 'naïve "quoted"\n', '🐍', '../../up']
  await inScratch(async (directory) => {
    const file = path.join(directory, 'odd.safetensors')
    const one = fromFloat32(Float32Array.of(7), 'F32')
    const sources = names.map((name) => source(name, 'F32', [], one))
    sources.push(source('empty', 'F32', [0, 5], new Uint8Array(0)), source('none', 'I64', [3, 0], new Uint8Array(0)))
    await writeSafetensors(file, sources, {['__proto__']: 'x'})
    const {entries, metadata} = await readSafetensorsHeader(file)
    expect([...entries.keys()].sort()).toEqual([...names, 'empty', 'none'].sort())
    expect(Object.entries(metadata)).toEqual([['__proto__', 'x']])
    for (const entry of entries.values()) {
      expect(await readTensorBytes(entry)).toEqual(entry.shape.includes(0) ? new Uint8Array(0) : one)
    }

    expect(({} as {dtype?: string}).dtype).toBeUndefined()
  })
})

test('a file without tensors is whole', async () => {
  await inScratch(async (directory) => {
    const file = path.join(directory, 'none.safetensors')
    await writeSafetensors(file, [], {})
    expect(await bytesOf(file)).toEqual(rawFile('{}      ', new Uint8Array(0)))
    expect((await readSafetensorsHeader(file)).entries.size).toBe(0)
  })
})

test('spaces after the header are allowed', async () => {
  await inScratch(async (directory) => {
    const file = path.join(directory, 'padded.safetensors')
    const header = `{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}${' '.repeat(100)}`
    await writeFile(file, rawFile(header, Uint8Array.of(3, 4)))
    const entry = (await readSafetensorsHeader(file)).entries.get('t')
    if (entry === undefined) throw new Error('no such tensor')
    expect(await readTensorBytes(entry)).toEqual(Uint8Array.of(3, 4))
  })
})

test('a tensor that begins beyond 4 GiB is found', async () => {
  await inScratch(async (directory) => {
    const file = path.join(directory, 'large.safetensors')
    const far = 5 * 2 ** 30
    const header = JSON.stringify({
      far: {data_offsets: [far, far + 8], dtype: 'F32', shape: [2]},
      near: {data_offsets: [0, far], dtype: 'U8', shape: [5, 2 ** 30]},
    })
    await writeFile(file, rawFile(header, new Uint8Array(0)))
    const dataBegin = 8 + header.length
    // A file with a hole: it takes no room on the disk.
    await truncate(file, dataBegin + far + 8)
    const handle = await open(file, 'r+')
    await handle.write(fromFloat32(Float32Array.of(1.5, -2), 'F32'), 0, 8, dataBegin + far)
    await handle.close()
    const {entries} = await readSafetensorsHeader(file)
    const entry = entries.get('far')
    if (entry === undefined) throw new Error('no such tensor')
    expect([...(await readTensorFloat32(entry))]).toEqual([1.5, -2])
  })
})

test('a tensor is read whole when the system returns less than was asked for', async () => {
  const expected = (await bytesOf(GOLDEN)).subarray(100, 1100)
  const handle = await open(GOLDEN, 'r')
  try {
    const read = async (target: Uint8Array, at: number, length: number, position: number): Promise<unknown> =>
      handle.read(target, at, Math.min(length, 7), position)
    const target = new Uint8Array(1000)
    await readInto({read} as unknown as FileHandle, target, 100, GOLDEN, 50)
    expect(Buffer.compare(target, expected)).toBe(0)
  } finally {
    await handle.close()
  }
})

test('pieces put together are the tensor, and an empty tensor has none', async () => {
  const {entries} = await readSafetensorsHeader(GOLDEN)
  for (const entry of entries.values()) {
    const pieces: Uint8Array[] = []
    for await (const piece of readTensorPieces(entry, 1000)) pieces.push(new Uint8Array(piece))
    expect(Buffer.compare(Buffer.concat(pieces), await readTensorBytes(entry))).toBe(0)
    for await (const piece of readTensorPieces({...entry, end: entry.begin}, 1000)) throw new Error(`${piece.length}`)
  }
})

test('more than fits into memory is an error that names the tensor', async () => {
  const {entries} = await readSafetensorsHeader(GOLDEN)
  const [entry] = entries.values()
  const {error, text} = await refusalOf(readTensorBytes({...entry, end: 2 ** 52, name: 'huge'}))
  expect(error).toBeInstanceOf(MemoryError)
  expect(text).toContain('No memory for tensor "huge"')
})

test('a file that was cut after its header was read is named when a tensor is asked for', async () => {
  await inScratch(async (directory) => {
    const file = path.join(directory, 'cut.safetensors')
    await writeSafetensors(file, [source('t', 'F32', [4], new Uint8Array(16))])
    const entry = (await readSafetensorsHeader(file)).entries.get('t')
    if (entry === undefined) throw new Error('no such tensor')
    await truncate(file, entry.begin + 4)
    expect((await refusalOf(readTensorBytes(entry))).text).toMatch(/the file ends at byte \d+; expected 12 more bytes/)
  })
})

describe('refuses to write', () => {
  const fine = source('a', 'U8', [1], new Uint8Array(1))
  test.each<[string, TensorSource[], string[]]>([
    ['two tensors of one name', [fine, fine], ['"a": two tensors have this name']],
    ['the name of the metadata', [{...fine, name: '__metadata__'}], ['this name is taken by the format itself']],
    [
      'impossible shapes, all at once',
      [
        {...fine, shape: [-1]},
        {...fine, name: 'b', shape: [1.5]},
        {...fine, name: 'c', shape: [2 ** 40, 2 ** 40]},
      ],
      ['"a": shape must be', '"b": shape must be', '"c": shape must be'],
    ],
    ['bytes that do not fit the shape', [{...fine, shape: [2]}], ['"a" came with 1 bytes; expected 2 bytes']],
  ])('%s, and leaves nothing behind', async (_, tensors, messages) => {
    await inScratch(async (directory) => {
      const {text} = await refusalOf(writeSafetensors(path.join(directory, 'x.safetensors'), tensors))
      for (const message of messages) expect(text).toContain(message)
      expect(await namesIn(directory)).toEqual([])
    })
  })

  test('over a good file when a tensor fails half-way: the good file stays', async () => {
    await inScratch(async (directory) => {
      const file = path.join(directory, 'x.safetensors')
      await writeSafetensors(file, [fine])
      const before = await bytesOf(file)
      const failing = {...fine, bytes: async () => Promise.reject(new Error('no more')), name: 'b'}
      await expect(writeSafetensors(file, [fine, failing])).rejects.toThrow('no more')
      expect(await bytesOf(file)).toEqual(before)
      expect(await namesIn(directory)).toEqual(['x.safetensors'])
    })
  })
})

test('tensors are fetched one at a time, in the order of the file', async () => {
  await inScratch(async (directory) => {
    const events: string[] = []
    const watched = (name: string): TensorSource => ({
      ...source(name, 'U8', [1], new Uint8Array(1)),
      async bytes() {
        events.push(`begin ${name}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
        events.push(`end ${name}`)
        return new Uint8Array(1)
      },
    })
    await writeSafetensors(path.join(directory, 'x.safetensors'), [watched('b'), watched('a')])
    expect(events).toEqual(['begin a', 'end a', 'begin b', 'end b'])
  })
})

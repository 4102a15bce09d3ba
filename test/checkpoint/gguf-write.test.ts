import {describe, expect, test} from '@jest/globals'
import {readdir} from 'node:fs/promises'
import {bool, f32, i32s, text, texts, u32} from '../../src/checkpoint/gguf-metadata.js'
import {type GgufTensor, writeGguf} from '../../src/checkpoint/gguf-write.js'
import {RandomStream} from '../../src/data/random.js'
import {ggufParts} from '../support/gguf-parts.js'
import {workDirectory} from '../support/work-directory.js'

const inWork = workDirectory()
const random = new RandomStream(1, 'test')
const VALUES = Float32Array.from({length: 3 * 64}, (_, index) => (index < 32 ? 0 : random.normal()))

const tensor = (parts: Partial<GgufTensor> = {}): GgufTensor => ({
  dtype: 'f32',
  name: 'a',
  shape: [3, 64],
  values: async () => VALUES,
  ...parts,
})

describe('writeGguf', () => {
  test('writes what comes back: metadata of every type, and tensors of every format', async () => {
    const file = inWork('all.gguf')
    const metadata = new Map([
      ['bool', bool(true)],
      ['f32', f32(0.5)],
      ['i32s', i32s([-1, 7])],
      ['text', text('né')],
      ['texts', texts(['', 'Ġa'])],
      ['u32', u32(2 ** 32 - 1)],
    ])
    const formats = ['bf16', 'f16', 'f32', 'q8_0'] as const
    await writeGguf(file, metadata, [
      tensor({name: 'odd', shape: [3], values: async () => VALUES.subarray(100, 103)}),
      ...formats.map((dtype) => tensor({dtype, name: dtype})),
    ])
    const {metadata: keys, tensors} = await ggufParts(file)
    expect(keys).toEqual({bool: true, f32: 0.5, i32s: [-1, 7], text: 'né', texts: ['', 'Ġa'], u32: 2 ** 32 - 1})
    expect(tensors.odd).toEqual({shape: [3], type: 0, values: VALUES.slice(100, 103)})
    expect(tensors.f32.values).toEqual(VALUES)
    // Half of the last bit that each format keeps.
    for (const [name, bits] of [
      ['bf16', 9],
      ['f16', 12],
    ] as const) {
      expect(tensors[name].shape).toEqual([3, 64])
      for (const [index, value] of VALUES.entries()) {
        expect(Math.abs(tensors[name].values[index] - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -(bits - 1))
      }
    }
  })

  test('q8_0 is within half a step of each block, and of its scale', async () => {
    const file = inWork('q8.gguf')
    await writeGguf(file, new Map(), [tensor({dtype: 'q8_0'})])
    const {a} = (await ggufParts(file)).tensors
    for (const [index, value] of VALUES.entries()) {
      const block = VALUES.subarray(index - (index % 32), index - (index % 32) + 32)
      const largest = Math.max(...block.map(Math.abs))
      expect(Math.abs(a.values[index] - value)).toBeLessThanOrEqual(largest / 254 + largest * 2 ** -11)
    }
  })

  test.each<[string, readonly GgufTensor[], RegExp]>([
    ['two tensors of one name', [tensor(), tensor()], /two tensors/],
    ['rows that are no whole blocks', [tensor({dtype: 'q8_0', shape: [6, 33]})], /no whole blocks/],
    ['no axis', [tensor({shape: []})], /shape must be/],
    ['a long name', [tensor({name: 'n'.repeat(64)})], /takes 64 bytes/],
    ['too few values', [tensor({shape: [4, 64]})], /expected 256/],
    [
      'a number too large for f16',
      [tensor({dtype: 'f16', values: async () => VALUES.map(() => 7e4)})],
      /no number for/,
    ],
    ['NaN', [tensor({values: async () => VALUES.map(() => NaN)})], /no number for/],
  ])('refuses %s and writes nothing', async (_, tensors, message) => {
    const refused = writeGguf(inWork('refused.gguf'), new Map(), tensors)
    await expect(refused).rejects.toMatchObject({exit: 4})
    const error = await refused.catch((found: unknown) => found)
    expect(JSON.stringify([String(error), error])).toMatch(message)
    expect((await readdir(inWork())).filter((name) => name.includes('refused'))).toEqual([])
  })
})

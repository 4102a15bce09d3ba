/** Weights of PyTorch: what is read, and that everything else is refused by name, with nothing run and no file made. */
import {describe, expect, test} from '@jest/globals'
import fc from 'fast-check'
import {readFile} from 'node:fs/promises'
import path from 'node:path'

import {MambatuneError} from '../../src/errors.js'
import {readTensorFloat32} from '../../src/checkpoint/safetensors.js'
import {readTorchHeader} from '../../src/checkpoint/torch-read.js'
import {goldenPath} from '../support/golden.js'
import {inScratch, namesIn, put, refusalOf} from './scratch.js'
import {HOSTILE, named, only} from './hostile-torch-files.js'
import {bytes, calling, global, stateOf, tensor, text, torchFile, whole} from './torch-file.js'

async function valuesIn(file: Uint8Array): Promise<Record<string, readonly number[]>> {
  return inScratch(async (directory) => {
    const {entries} = await readTorchHeader(await put(directory, 'pytorch_model.bin', file))
    const values = [...entries].map(async ([name, entry]) => [name, [...(await readTensorFloat32(entry))]] as const)
    return Object.fromEntries(await Promise.all(values))
  })
}

describe('reads', () => {
  test('a tensor, and a part of a storage', async () => {
    const part = tensor({offset: 2, shape: [4], strides: [1]})
    expect(await valuesIn(named(stateOf({part, whole: tensor()})))).toEqual({
      part: [3, 4, 5, 6],
      whole: [1, 2, 3, 4, 5, 6],
    })
  })

  test('a parameter, and a dictionary with attributes', async () => {
    const parameter = calling(
      global('torch._utils', '_rebuild_parameter'),
      tensor(),
      0x88,
      bytes(global('collections', 'OrderedDict'), ')R'),
    )
    const dictionary = bytes(global('collections', 'OrderedDict'), ')Rq', 7, '(', text('a'), parameter, 'u')
    const attributes = bytes('}', text('_metadata'), 'h', 7, 's', 'b')
    expect(await valuesIn(only(dictionary, attributes, '.'))).toEqual({a: [1, 2, 3, 4, 5, 6]})
  })

  test('the opcodes of protocol 4', async () => {
    const short = (value: string): Buffer => bytes(0x8c, value.length, value)
    const named4 = (module: string, name: string): Buffer => bytes(short(module), 0x94, short(name), 0x93)
    const storage = bytes(
      '(',
      short('storage'),
      named4('torch', 'FloatStorage'),
      short('0'),
      short('cpu'),
      'K',
      6,
      't',
      'Q',
    )
    const made = bytes(
      named4('torch._utils', '_rebuild_tensor_v2'),
      '(',
      storage,
      'K',
      0,
      'M',
      6,
      0,
      0x85,
      'K',
      1,
      0x85,
      0x89,
      '}',
      't',
      'R',
    )
    const frame = bytes(0x95, 1, Buffer.alloc(7))
    expect(await valuesIn(named(bytes(0x80, 4, frame, '}', short('a'), made, 's', '.')))).toEqual({
      a: [1, 2, 3, 4, 5, 6],
    })
  })

  test.each([
    ['a tensor of no elements', {shape: [0, 3], strides: [3, 1]}, []],
    ['a number', {shape: [], strides: []}, [1]],
    ['axes of one, whose stride says nothing', {shape: [1, 6, 1], strides: [77, 1, 5]}, [1, 2, 3, 4, 5, 6]],
  ])('%s', async (_, parts, expected) => {
    expect(await valuesIn(named(stateOf({a: tensor(parts)})))).toEqual({a: expected})
  })

  test('what PyTorch wrote, with an end of the archive for files of more than 4 GiB', async () => {
    const {entries} = await readTorchHeader(goldenPath('original-mamba1', 'pytorch_model.bin'))
    const {begin, dtype, end, shape} = entries.get('backbone.layers.1.mixer.conv1d.weight') ?? {}
    expect([dtype, shape, Number(end) - Number(begin)]).toEqual(['F32', [128, 1, 4], 2048])
  })
})

describe('refuses, with a message, and leaves nothing behind', () => {
  test.each(Object.entries(HOSTILE))('%s', async (_, [file, message]) => {
    await inScratch(async (directory) => {
      const {error, text: said} = await refusalOf(readTorchHeader(await put(directory, 'pytorch_model.bin', file)))
      expect(said).toContain(message)
      expect(error.code).toBe('E_FILE')
      expect(error.hint).toBeDefined()
      expect(await namesIn(directory)).toEqual(['pytorch_model.bin'])
    })
  })

  test('a file that is not there, and a directory', async () => {
    await inScratch(async (directory) => {
      expect((await refusalOf(readTorchHeader(path.join(directory, 'no.bin')))).text).toContain('no such file')
      expect((await refusalOf(readTorchHeader(directory))).text).toContain('it is not a file')
    })
  })
})

describe('whatever is changed in a file', () => {
  /** Reads it and every tensor of it; true where it is refused by an error of ours, and anything else fails. */
  async function outcome(directory: string, file: Uint8Array): Promise<void> {
    const at = await put(directory, 'pytorch_model.bin', file)
    try {
      for (const entry of (await readTorchHeader(at)).entries.values()) await readTensorFloat32(entry)
    } catch (error) {
      if (!(error instanceof MambatuneError)) throw error
    }
  }

  const changes = (length: number): fc.Arbitrary<readonly (readonly [number, number])[]> =>
    fc.array(fc.tuple(fc.nat(length - 1), fc.nat(255)), {maxLength: 8, minLength: 1})

  test('bytes of the pickle and of the zip: it is read, or refused by an error of ours', async () => {
    const sound = torchFile()
    await inScratch(async (directory) => {
      await fc.assert(
        fc.asyncProperty(changes(sound.length), fc.nat(sound.length), fc.boolean(), async (edits, end, cut) => {
          const file = Uint8Array.from(cut ? sound.subarray(0, end) : sound)
          for (const [at, value] of edits) if (at < file.length) file[at] = value
          await outcome(directory, file)
        }),
        {numRuns: 1500, seed: 1},
      )
    })
  })

  test('any opcodes in any order', async () => {
    const opcodes = [...'.(}])tNJKMXqrhjcRQsuaeb'].map((letter) => letter.charCodeAt(0))
    const known = [...opcodes, 0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x93, 0x94, 0x95]
    const piece = fc.oneof(
      fc.constantFrom(...known).map((code) => bytes(code)),
      fc.constantFrom(
        tensor(),
        text('storage'),
        global('torch', 'FloatStorage'),
        whole(3),
        global('collections', 'OrderedDict'),
      ),
      fc.uint8Array({maxLength: 3}),
    )
    await inScratch(async (directory) => {
      await fc.assert(
        fc.asyncProperty(fc.array(piece, {maxLength: 30}), (pieces) => outcome(directory, only('}', ...pieces, '.'))),
        {numRuns: 1500, seed: 2},
      )
    })
  })

  test('bytes of what PyTorch wrote', async () => {
    const sound = await readFile(goldenPath('original-mamba1', 'pytorch_model.bin'))
    const pickle = 4000
    await inScratch(async (directory) => {
      await fc.assert(
        fc.asyncProperty(changes(pickle), changes(4000), async (front, back) => {
          const file = Uint8Array.from(sound)
          for (const [at, value] of front) file[at] = value
          for (const [at, value] of back) file[file.length - 1 - at] = value
          await outcome(directory, file)
        }),
        {numRuns: 200, seed: 3},
      )
    })
  })
})

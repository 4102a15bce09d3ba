/** Adapters on disk: ours there and back, PEFT's as PEFT stored them, and every way in which they can be wrong. */
import {copyFile, mkdir, readFile, rename, rm} from 'node:fs/promises'
import path from 'node:path'

import {describe, expect, test} from '@jest/globals'

import {
  type AdapterManifest,
  type AdapterTensor,
  isAdapterDirectory,
  isPeftAdapter,
  readAdapterDirectory,
  readAdapterManifest,
  readPeftFiles,
  writeAdapterDirectory,
} from '../../src/checkpoint/adapter-directory.js'
import {fromFloat32} from '../../src/checkpoint/dtypes.js'
import {readSafetensorsHeader, type TensorSource, writeSafetensors} from '../../src/checkpoint/safetensors.js'
import {EXIT, FileError, NumericError} from '../../src/errors.js'
import {inScratch, namesIn, put, refusalOf} from './scratch.js'
import {calling, global, stateOf, text, torchFile} from './torch-file.js'

const PEFT = 'test/fixtures/golden/mamba1/lora'
const OURS = {format: 'mambatune-adapter'}

const manifest: AdapterManifest = {
  adapters: [{method: 'lora', rank: 4, targets: ['in_proj']}, {method: 'initial-state'}],
  base: {architecture: 'mamba', fingerprint: `sha256:${'0f'.repeat(32)}`, path: 'models/tiny-mamba'},
  created_with: 'mambatune 0.1.0',
  format: 'mambatune-adapter',
  version: 1,
}

const tensors = new Map<string, AdapterTensor>([
  ['0.layers.0.in_proj.A', {shape: [2, 3], values: Float32Array.of(1, -2, 1 / 3, 1e-40, -0, 3e38)}],
  ['1.layers.0.h0', {shape: [], values: Float32Array.of(5)}],
])

function stored(name: string, values: Float32Array, dtype: 'BF16' | 'F16' | 'F32' = 'F32'): TensorSource {
  return {bytes: async () => Promise.resolve(fromFloat32(values, dtype)), dtype, name, shape: [values.length]}
}

describe('our adapters', () => {
  test('come back as they were written, and are made of two files', async () => {
    await inScratch(async (scratch) => {
      const directory = path.join(scratch, 'run', 'adapter')
      await writeAdapterDirectory(directory, manifest, tensors)
      expect(await namesIn(directory)).toEqual(['adapter.json', 'adapter.safetensors'])
      expect(await isAdapterDirectory(directory)).toBe(true)
      expect(await isPeftAdapter(directory)).toBe(false)
      expect(await readAdapterManifest(directory)).toEqual(manifest)
      const read = await readAdapterDirectory(directory)
      expect(read.manifest).toEqual(manifest)
      expect([...read.tensors].sort()).toEqual([...tensors])
      expect((await readSafetensorsHeader(path.join(directory, 'adapter.safetensors'))).metadata).toEqual(OURS)
    })
  })

  test('are the same bytes each time', async () => {
    await inScratch(async (scratch) => {
      await writeAdapterDirectory(path.join(scratch, 'a'), manifest, tensors)
      await writeAdapterDirectory(path.join(scratch, 'b'), manifest, new Map([...tensors].reverse()))
      for (const name of ['adapter.json', 'adapter.safetensors']) {
        const [a, b] = await Promise.all(
          ['a', 'b'].map(async (directory) => readFile(path.join(scratch, directory, name))),
        )
        expect(Buffer.compare(a, b)).toBe(0)
      }
    })
  })

  test('are never written over another', async () => {
    await inScratch(async (scratch) => {
      await writeAdapterDirectory(path.join(scratch, 'a'), manifest, tensors)
      const {error} = await refusalOf(writeAdapterDirectory(path.join(scratch, 'a'), manifest, new Map()))
      expect(error).toBeInstanceOf(FileError)
      expect((await readAdapterDirectory(path.join(scratch, 'a'))).tensors.size).toBe(2)
    })
  })

  test('may hold bf16 and f16, and keys that this version does not know', async () => {
    await inScratch(async (scratch) => {
      await put(scratch, 'adapter.json', JSON.stringify({...manifest, base: {...manifest.base, note: 1}, later: true}))
      const values = Float32Array.of(1, -0.5)
      const sources = [stored('a', values, 'BF16'), stored('b', values, 'F16')]
      await writeSafetensors(path.join(scratch, 'adapter.safetensors'), sources, OURS)
      const read = await readAdapterDirectory(scratch)
      expect(read.manifest).toEqual(manifest)
      expect(read.tensors.get('a')).toEqual({shape: [2], values})
      expect(read.tensors.get('b')).toEqual({shape: [2], values})
    })
  })
})

describe('refuses to write', () => {
  test('values that are not finite, naming each tensor', async () => {
    await inScratch(async (scratch) => {
      const broken = new Map(tensors)
      broken.set('x', {shape: [3], values: Float32Array.of(0, NaN, Infinity)})
      broken.set('y', {shape: [1], values: Float32Array.of(-Infinity)})
      const {error, text} = await refusalOf(writeAdapterDirectory(path.join(scratch, 'a'), manifest, broken))
      expect(error).toBeInstanceOf(NumericError)
      expect(text).toContain('"x": 2 values of 3 not finite, the first at index 1: NaN')
      expect(text).toContain('"y": 1 value of 1 not finite, the first at index 0: -Infinity')
      expect(await namesIn(scratch)).toEqual([])
    })
  })

  test('a manifest or tensors that could not be read back', async () => {
    await inScratch(async (scratch) => {
      const directory = path.join(scratch, 'a')
      const wrong = {...manifest, base: {...manifest.base, fingerprint: 'sha256:1'}}
      expect((await refusalOf(writeAdapterDirectory(directory, wrong, tensors))).text).toContain('base.fingerprint')
      const short = new Map([['x', {shape: [4], values: new Float32Array(3)}]])
      const {text} = await refusalOf(writeAdapterDirectory(directory, manifest, short))
      expect(text).toContain('tensor "x" came with 12 bytes; expected 16 bytes')
      expect(await namesIn(scratch)).toEqual([])
    })
  })
})

/** What is done to an adapter, and what the refusal must say. */
const damages: [string, (directory: string) => Promise<unknown>, ...string[]][] = [
  ['no manifest', async (at) => rm(path.join(at, 'adapter.json')), 'adapter.json: this file is missing'],
  ['no tensors', async (at) => rm(path.join(at, 'adapter.safetensors')), 'adapter.safetensors: this file is missing'],
  [
    'a manifest that is not JSON',
    async (at) => put(at, 'adapter.json', '{\n"format" 1}'),
    'adapter.json:2:10: expected',
  ],
  [
    'another format',
    async (at) => put(at, 'adapter.json', JSON.stringify({...manifest, format: 'lora'})),
    'adapter.json: format: Invalid input: expected "mambatune-adapter", got "lora"',
  ],
  [
    'wrong values in the manifest, all at once',
    async (at) =>
      put(
        at,
        'adapter.json',
        JSON.stringify({...manifest, adapters: [], base: {architecture: '', fingerprint: 'md5:1'}, created_with: 7}),
      ),
    'adapter.json: adapters: expected at least one part, got []',
    'adapter.json: base.architecture: expected a text that is not empty, got ""',
    `adapter.json: base.fingerprint: expected 'sha256:' and 64 hexadecimal digits, got "md5:1"`,
    'adapter.json: base.path: ',
    'adapter.json: created_with: ',
  ],
  [
    'a broken manifest and cut tensors, both at once',
    async (at) => {
      await put(at, 'adapter.json', '[]')
      await put(at, 'adapter.safetensors', 'abc')
    },
    'expected a JSON object, got []',
    'adapter.safetensors: the file has 3 bytes',
  ],
  [
    'tensors of something else',
    async (at) => writeSafetensors(path.join(at, 'adapter.safetensors'), [stored('a', Float32Array.of(1))]),
    'adapter.safetensors: metadata format must be "mambatune-adapter", got "pt"',
  ],
  [
    'values that are not finite and integers, naming each tensor',
    async (at) =>
      writeSafetensors(
        path.join(at, 'adapter.safetensors'),
        [
          stored('good', Float32Array.of(1)),
          stored('nan', Float32Array.of(1, NaN)),
          stored('infinite', Float32Array.of(65_536), 'F16'),
          {bytes: async () => Promise.resolve(new Uint8Array(8)), dtype: 'I64', name: 'whole', shape: [1]},
        ],
        OURS,
      ),
    '"nan": 1 value of 2 not finite, the first at index 1: NaN',
    '"infinite": 1 value of 1 not finite, the first at index 0: Infinity',
    '"whole": dtype must be F64, F32, F16 or BF16, got I64',
  ],
  [
    'a run in place of its adapter',
    async (at) => {
      await mkdir(path.join(at, 'adapter'))
      await rename(path.join(at, 'adapter.json'), path.join(at, 'adapter', 'adapter.json'))
    },
    'This is a run: did you mean ',
  ],
  [
    'a model in place of an adapter',
    async (at) => {
      await rm(path.join(at, 'adapter.json'))
      await put(at, 'config.json', '{}')
    },
    'This is a model: give it as the model',
  ],
]

describe('refuses to read', () => {
  test.each(damages)('%s', async (_, damage, ...messages) => {
    await inScratch(async (scratch) => {
      const directory = path.join(scratch, 'a')
      await writeAdapterDirectory(directory, manifest, tensors)
      await damage(directory)
      const {error, text} = await refusalOf(readAdapterDirectory(directory))
      expect(error).toBeInstanceOf(FileError)
      expect(error.exit).toBe(EXIT.file)
      expect(error.hint).toBeDefined()
      expect(text).toContain(`Cannot read the adapter in ${directory}`)
      for (const message of messages) expect(text).toContain(message)
    })
  })

  test('a later version for nothing but that: its other keys may mean anything', async () => {
    await inScratch(async (scratch) => {
      const file = await put(scratch, 'adapter.json', JSON.stringify({format: 'mambatune-adapter', version: 3}))
      const {error} = await refusalOf(readAdapterManifest(scratch))
      expect(error.faults).toEqual([{message: 'expected 1 or 2, got 3', where: `${file}: version`}])
    })
  })

  test('a path that is not there, and a file', async () => {
    await inScratch(async (scratch) => {
      const file = await put(scratch, 'file', '')
      for (const read of [readAdapterDirectory, readAdapterManifest, readPeftFiles]) {
        expect((await refusalOf(read(path.join(scratch, 'no')))).text).toMatch(/^No adapter at .*there is no such dir/)
        expect((await refusalOf(read(file))).text).toMatch(/^No adapter at .*this is not a directory/)
      }

      for (const is of [isAdapterDirectory, isPeftAdapter]) {
        expect([await is(path.join(scratch, 'no')), await is(file), await is(scratch)]).toEqual([false, false, false])
      }
    })
  })
})

describe("PEFT's adapters", () => {
  test('are read under the names and with the settings that PEFT wrote', async () => {
    expect(await isPeftAdapter(PEFT)).toBe(true)
    expect(await isAdapterDirectory(PEFT)).toBe(false)
    const {config, tensors: found} = await readPeftFiles(PEFT)
    expect(config).toEqual(JSON.parse(await readFile(path.join(PEFT, 'adapter_config.json'), 'utf8')))
    expect(config).toMatchObject({lora_alpha: 8, peft_type: 'LORA', r: 4})
    const matrix = found.get('base_model.model.backbone.layers.0.mixer.in_proj.lora_A.weight')
    expect(matrix?.shape).toEqual([4, 32])
    expect(matrix?.values).toHaveLength(128)
    expect(matrix?.values.some((value) => value !== 0)).toBe(true)
  })

  test('that are damaged are refused with everything that is wrong', async () => {
    await inScratch(async (scratch) => {
      await put(scratch, 'adapter_config.json', '{"r": }')
      await writeSafetensors(path.join(scratch, 'adapter_model.safetensors'), [stored('a', Float32Array.of(NaN))])
      const {text} = await refusalOf(readPeftFiles(scratch))
      expect(text).toContain('adapter_config.json:1:7: expected a value, got "}"')
      expect(text).toContain('adapter_model.safetensors: "a": 1 value of 1 not finite')
    })
  })

  test('stored by PyTorch are read, with nothing else in the pickle than tensors', async () => {
    await inScratch(async (scratch) => {
      await copyFile(path.join(PEFT, 'adapter_config.json'), path.join(scratch, 'adapter_config.json'))
      await put(scratch, 'adapter_model.bin', torchFile())
      const {tensors} = await readPeftFiles(scratch)
      expect([...tensors]).toEqual([['weight', {shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6)}]])
      await put(
        scratch,
        'adapter_model.bin',
        torchFile(stateOf({weight: calling(global('os', 'system'), text('true'))})),
      )
      expect((await refusalOf(readPeftFiles(scratch))).text).toContain('data.pkl, byte')
    })
  })
})

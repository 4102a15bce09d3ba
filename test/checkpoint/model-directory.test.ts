/** Opening models: whole, sharded, incomplete and damaged. */
import {copyFile, mkdir, rename, rm} from 'node:fs/promises'
import path from 'node:path'

import {describe, expect, test} from '@jest/globals'

import {fingerprintTensors, openModelDirectory} from '../../src/checkpoint/model-directory.js'
import {
  readSafetensorsHeader,
  readTensorBytes,
  readTensorFloat32,
  type TensorSource,
  writeSafetensors,
} from '../../src/checkpoint/safetensors.js'
import {EXIT, FileError} from '../../src/errors.js'
import {inScratch, put, refusalOf} from './scratch.js'

const GOLDEN = 'test/fixtures/golden/mamba1'
const INDEX = 'model.safetensors.index.json'

async function sources(directory: string): Promise<readonly TensorSource[]> {
  const {tensors} = await openModelDirectory(directory)
  return [...tensors.values()].map((entry) => ({...entry, bytes: async () => readTensorBytes(entry)}))
}

/** A small model in one file. */
async function smallModel(directory: string): Promise<void> {
  await mkdir(directory, {recursive: true})
  await put(directory, 'config.json', '{"model_type": "mamba"}')
  await copyFile(`${GOLDEN}/model.safetensors`, path.join(directory, 'model.safetensors'))
}

/** The golden model in three shards with an index, the tensors dealt out in turn. Returns what lies where. */
async function shardedModel(directory: string): Promise<Record<string, string>> {
  await mkdir(directory, {recursive: true})
  await copyFile(`${GOLDEN}/config.json`, path.join(directory, 'config.json'))
  const all = await sources(GOLDEN)
  const map: Record<string, string> = {}
  for (const shard of [0, 1, 2]) {
    const name = `model-0000${shard + 1}-of-00003.safetensors`
    const part = all.filter((_, i) => i % 3 === shard)
    for (const tensor of part) map[tensor.name] = name
    await writeSafetensors(path.join(directory, name), part)
  }

  await writeIndex(directory, map)
  return map
}

async function writeIndex(directory: string, map: unknown): Promise<void> {
  await put(directory, INDEX, JSON.stringify({metadata: {total_size: 1}, weight_map: map}))
}

describe('opens', () => {
  test.each([GOLDEN, 'models/tiny-mamba'])('%s', async (directory) => {
    const model = await openModelDirectory(directory)
    const file = path.join(directory, 'model.safetensors')
    expect(model.directory).toBe(directory)
    expect(model.config.model_type).toBe('mamba')
    expect(model.weightFiles).toEqual([file])
    expect(model.indexFile).toBeNull()
    expect(model.tensors).toEqual((await readSafetensorsHeader(file)).entries)
  })

  test('a sharded model with the same tensors, values and fingerprint as the whole one', async () => {
    await inScratch(async (scratch) => {
      const map = await shardedModel(scratch)
      const whole = await openModelDirectory(GOLDEN)
      const sharded = await openModelDirectory(scratch)
      expect(sharded.indexFile).toBe(path.join(scratch, INDEX))
      expect(sharded.weightFiles).toHaveLength(3)
      expect(sharded.config).toEqual(whole.config)
      expect([...sharded.tensors.keys()].sort()).toEqual([...whole.tensors.keys()].sort())
      for (const [name, entry] of whole.tensors) {
        const other = sharded.tensors.get(name)
        if (other === undefined) throw new Error(name)
        expect(other.file).toBe(path.join(scratch, map[name]))
        expect(await readTensorFloat32(other)).toEqual(await readTensorFloat32(entry))
      }

      expect(await fingerprintTensors(sharded.tensors)).toBe(await fingerprintTensors(whole.tensors))
    })
  })

  test('the single file where there are both, as transformers does', async () => {
    await inScratch(async (scratch) => {
      await shardedModel(scratch)
      await smallModel(scratch)
      const model = await openModelDirectory(scratch)
      expect(model.weightFiles).toEqual([path.join(scratch, 'model.safetensors')])
      expect(model.indexFile).toBeNull()
    })
  })

  test('a config as Python writes it, with Infinity, and with a byte order mark', async () => {
    await inScratch(async (scratch) => {
      await smallModel(scratch)
      await put(scratch, 'config.json', '\uFEFF{"time_step_limit": [0.0, Infinity], "__proto__": {"x": 1}}')
      const {config} = await openModelDirectory(scratch)
      expect(config.time_step_limit).toEqual([0, Infinity])
      expect(config.x).toBeUndefined()
    })
  })
})

/** What is done to a small model, and what the refusal must say. */
const damages: [string, (directory: string) => Promise<unknown>, ...string[]][] = [
  ['no config', async (model) => rm(path.join(model, 'config.json')), 'config.json: this file is missing'],
  ['an empty config', async (model) => put(model, 'config.json', ' \n'), 'config.json: this file is empty'],
  [
    'a config with a missing comma',
    async (model) => put(model, 'config.json', '{\n  "a": 1\n  "b": 2\n}'),
    `config.json:3:3: expected ',' or '}', got "\\""`,
  ],
  ['a config cut short', async (model) => put(model, 'config.json', '{"a": 1'), 'config.json:1:8: the text ends'],
  [
    'a key twice in the config',
    async (model) => put(model, 'config.json', '{"a": 1,\n "a": 2}'),
    'config.json:2:2: key "a" occurs twice',
  ],
  ['a config that is a list', async (model) => put(model, 'config.json', '[1]'), 'expected a JSON object, got [1]'],
  ['a config in another encoding', async (model) => put(model, 'config.json', Uint8Array.of(0xff, 0xfe)), 'UTF-8'],
  [
    'a config that is a directory',
    async (model) => {
      await rm(path.join(model, 'config.json'))
      await mkdir(path.join(model, 'config.json'))
    },
    'config.json: this is not a file',
  ],
  [
    'no weights',
    async (model) => rm(path.join(model, 'model.safetensors')),
    'there are no weights: none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json',
  ],
  [
    'weights under the name that PyTorch gives them, in another format',
    async (model) => rename(path.join(model, 'model.safetensors'), path.join(model, 'pytorch_model.bin')),
    'pytorch_model.bin: this is no sound zip archive',
    'Only tensors are read from files of PyTorch',
  ],
  [
    'weights of another name',
    async (model) => rename(path.join(model, 'model.safetensors'), path.join(model, 'best.safetensors')),
    'pytorch_model.bin.index.json; found "best.safetensors"',
  ],
  [
    'cut weights and a broken config, both at once',
    async (model) => {
      await put(model, 'config.json', '{')
      await put(model, 'model.safetensors', 'abc')
    },
    'config.json:1:2:',
    'model.safetensors: the file has 3 bytes',
  ],
  [
    'an adapter in place of a model',
    async (model) => {
      await rm(path.join(model, 'config.json'))
      await put(model, 'adapter_config.json', '{}')
    },
    'This is an adapter: name the model that it was trained on',
  ],
]

/** What is done to a sharded model, given what lies where. */
const indexDamages: [string, (directory: string, map: Record<string, string>) => Promise<unknown>, ...string[]][] = [
  [
    'an index that is not JSON',
    async (model) => put(model, INDEX, '{"weight_map": }'),
    `${INDEX}:1:16: expected a value`,
  ],
  ['an index without a map', async (model) => put(model, INDEX, '{}'), 'weight_map must be an object'],
  ['an index of nothing', async (model) => writeIndex(model, {}), 'weight_map must be an object'],
  [
    'two missing shards, both at once',
    async (model) => {
      await rm(path.join(model, 'model-00001-of-00003.safetensors'))
      await rm(path.join(model, 'model-00003-of-00003.safetensors'))
    },
    'model-00001-of-00003.safetensors: this file is missing',
    'model-00003-of-00003.safetensors: this file is missing',
  ],
  [
    'two damaged shards, both at once',
    async (model) => {
      await put(model, 'model-00001-of-00003.safetensors', 'x')
      await put(model, 'model-00002-of-00003.safetensors', 'yy')
    },
    'model-00001-of-00003.safetensors: the file has 1 byte;',
    'model-00002-of-00003.safetensors: the file has 2 bytes;',
  ],
  [
    'a tensor that is in no shard',
    async (model, map) => writeIndex(model, {...map, extra: 'model-00002-of-00003.safetensors'}),
    'model-00002-of-00003.safetensors: "extra": the index says that this shard holds the tensor, but it does not',
  ],
  [
    'a tensor that is not in the index',
    async (model, map) => {
      const rest = Object.entries(map).filter(([name]) => name !== 'backbone.layers.0.mixer.D')
      await writeIndex(model, Object.fromEntries(rest))
    },
    '"backbone.layers.0.mixer.D": this shard holds the tensor, but the index does not list it',
  ],
  [
    'a tensor in another shard than the index says',
    async (model, map) => {
      const there = map['backbone.norm_f.weight']
      const other = Object.values(map).find((shard) => shard !== there)
      await writeIndex(model, {...map, 'backbone.norm_f.weight': other})
    },
    '"backbone.norm_f.weight": this shard holds the tensor, but the index says that it lies in model-',
    '"backbone.norm_f.weight": the index says that this shard holds the tensor, but it does not',
  ],
]

describe('refuses', () => {
  test.each(damages)('%s', async (_, damage, ...messages) => {
    await inScratch(async (scratch) => {
      const model = path.join(scratch, 'model')
      await smallModel(model)
      await damage(model)
      const {error, text} = await refusalOf(openModelDirectory(model))
      expect(error).toBeInstanceOf(FileError)
      expect(error.exit).toBe(EXIT.file)
      expect(error.hint).toBeDefined()
      expect(text).toContain(`Cannot open the model in ${model}`)
      for (const message of messages) expect(text).toContain(message)
    })
  })

  test.each(indexDamages)('%s', async (_, damage, ...messages) => {
    await inScratch(async (model) => {
      await damage(model, await shardedModel(model))
      const {error, text} = await refusalOf(openModelDirectory(model))
      expect(error).toBeInstanceOf(FileError)
      for (const message of messages) expect(text).toContain(message)
    })
  })

  test.each([
    '../model.safetensors',
    '..',
    '/model.safetensors',
    'a/../../model.safetensors',
    '..\\model.safetensors',
    'C:model.safetensors',
    'inner/model.safetensors',
    '',
    'a\0.safetensors',
    'config.json',
    7,
    null,
  ])('the file name %j in an index, although such a file exists', async (name) => {
    await inScratch(async (scratch) => {
      const model = path.join(scratch, 'inner', 'model')
      const map = await shardedModel(model)
      const there = path.join(model, Object.values(map)[0])
      await mkdir(path.join(model, 'inner'))
      for (const place of ['..', '../..', 'inner']) {
        await copyFile(there, path.join(model, place, 'model.safetensors'))
      }

      await writeIndex(model, {...map, 'backbone.norm_f.weight': name})
      const {error, text} = await refusalOf(openModelDirectory(model))
      expect(error).toBeInstanceOf(FileError)
      expect(text).toContain('of tensor "backbone.norm_f.weight" must be the plain name of a .safetensors file')
    })
  })

  test('a path that is not there, and one that is no directory', async () => {
    await inScratch(async (scratch) => {
      const file = await put(scratch, 'file', '')
      const missing = path.join(scratch, 'missing')
      expect((await refusalOf(openModelDirectory(missing))).text).toMatch(
        /^No model at .*missing: there is no such directory\nGive the path of a directory that holds config\.json/,
      )
      expect((await refusalOf(openModelDirectory(file))).text).toMatch(/^No model at .*file: this is not a directory/)
    })
  })
})

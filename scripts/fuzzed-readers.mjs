// The readers that scripts/fuzz-readers.mjs feeds with changed files: `files` are the good ones, copied from `from`; `file`
// is the one that is changed; `share` is the reader's part of all cases, small for slow ones.
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import {lockDirectory} from '../dist/checkpoint/directory-lock.js'
import {openModelDirectory} from '../dist/checkpoint/model-directory.js'
import {readSafetensorsHeader, readTensorFloat32} from '../dist/checkpoint/safetensors.js'
import {readCheckpoint} from '../dist/checkpoint/training-checkpoint.js'
import {readDataset} from '../dist/data/rows.js'
import {loadTokenizer} from '../dist/data/tokenizer.js'
import {configOf} from '../dist/model/model-files.js'
import {readAdapter} from '../dist/peft/saved-adapter.js'
import {loadRecipe} from '../dist/recipe/load.js'
import {fromContent} from '../dist/recipe/run-state.js'
import {readMetrics} from '../dist/report/metrics-file.js'

const here = (...parts) => fileURLToPath(new URL(path.posix.join('..', ...parts), import.meta.url))
const golden = (...parts) => here('test', 'fixtures', 'golden', 'mamba1', ...parts)
const example = (name) => here('test', 'fixtures', 'fuzz', name)

const ROWS = {appendEos: false, format: 'auto', lossOn: 'auto', maxLength: 64}

/** A process that is alone on its machine: every lock of this machine is stale. */
const ALONE = {isAlive: () => false, pid: 1, startOf: async () => null}

const rows = (name, format) => ({
  file: name,
  files: {[name]: example(name)},
  name: `rows (${name})`,
  read: (directory) => readDataset([path.join(directory, name)], null, {...ROWS, format}),
  share: 10,
})

export const READERS = [
  {
    file: 'a.safetensors',
    files: {'a.safetensors': golden('lora', 'adapter_model.safetensors')},
    name: 'safetensors',
    async read(directory) {
      const {entries} = await readSafetensorsHeader(path.join(directory, 'a.safetensors'))
      for (const entry of entries.values()) if (entry.dtype === 'F32') await readTensorFloat32(entry)
    },
    share: 10,
  },
  {
    file: 'config.json',
    files: {'config.json': golden('config.json'), 'model.safetensors': golden('model.safetensors')},
    name: 'config',
    read: async (directory) => configOf(await openModelDirectory(directory)),
    share: 5,
  },
  {
    file: 'tokenizer.json',
    files: {'tokenizer.json': here('models', 'tiny-mamba', 'tokenizer.json')},
    name: 'tokenizer',
    async read(directory) {
      const tokenizer = await loadTokenizer(directory)
      tokenizer.encode('The quick brown fox, in 1999.')
    },
    share: 0.05,
  },
  {
    file: 'recipe.yaml',
    files: {'recipe.yaml': here('recipes', 'lora-all-projections.yaml')},
    name: 'recipe',
    read: (directory) => loadRecipe(path.join(directory, 'recipe.yaml')),
    share: 3,
  },
  rows('rows.jsonl', 'tokens'),
  rows('rows.json', 'auto'),
  {
    file: 'adapter.json',
    files: {'adapter.json': example('adapter.json'), 'adapter.safetensors': example('adapter.safetensors')},
    name: 'adapter (manifest)',
    read: readAdapter,
    share: 5,
  },
  {
    file: 'adapter.safetensors',
    files: {'adapter.json': example('adapter.json'), 'adapter.safetensors': example('adapter.safetensors')},
    name: 'adapter (tensors)',
    read: readAdapter,
    share: 5,
  },
  {
    file: 'adapter_config.json',
    files: {
      'adapter_config.json': golden('lora', 'adapter_config.json'),
      'adapter_model.safetensors': golden('lora', 'adapter_model.safetensors'),
    },
    name: 'adapter of PEFT',
    read: readAdapter,
    share: 5,
  },
  {
    file: 'checkpoint.safetensors',
    files: {'checkpoint.safetensors': example('checkpoint.safetensors')},
    name: 'checkpoint',
    async read(directory) {
      const file = path.join(directory, 'checkpoint.safetensors')
      fromContent(await readCheckpoint(file), file)
    },
    share: 10,
  },
  {
    file: 'metrics.jsonl',
    files: {'metrics.jsonl': example('metrics.jsonl')},
    name: 'metrics',
    read: (directory) => readMetrics(path.join(directory, 'metrics.jsonl')),
    share: 10,
  },
  {
    file: '.lock',
    files: {'.lock': example('lock.json')},
    name: 'lock',
    read: async (directory) => await lockDirectory(directory, ALONE),
    share: 1,
  },
]

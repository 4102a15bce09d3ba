// The readers that scripts/fuzz-readers.mjs and scripts/fuzz-coverage.mjs feed with changed files: `files` are the good ones,
// what they are called and where they are copied from; `file` is the one that is changed; `share` is the reader's part of all
// cases, small for slow ones.
import {readFileSync, writeFileSync} from 'node:fs'
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import {lockDirectory} from '../dist/checkpoint/directory-lock.js'
import {openModelDirectory} from '../dist/checkpoint/model-directory.js'
import {readSafetensorsHeader, readTensorFloat32} from '../dist/checkpoint/safetensors.js'
import {readTorchHeader} from '../dist/checkpoint/torch-read.js'
import {digestOf, readCheckpoint} from '../dist/checkpoint/training-checkpoint.js'
import {configOf} from '../dist/model/model-files.js'
import {readConversation} from '../dist/peft/chat/conversation-file.js'
import {readAdapter} from '../dist/peft/saved-adapter.js'
import {loadRecipe} from '../dist/recipe/load.js'
import {fromContent} from '../dist/recipe/run-state.js'
import {readMetrics} from '../dist/report/metrics-file.js'
import {listRuns} from '../dist/report/runs/list-runs.js'
import {readRun} from '../dist/report/runs/show-run.js'
import {DATA_READERS} from './fuzzed-data.mjs'

const here = (...parts) => fileURLToPath(new URL(path.posix.join('..', ...parts), import.meta.url))
const golden = (...parts) => here('test', 'fixtures', 'golden', 'mamba1', ...parts)
const example = (name) => here('test', 'fixtures', 'fuzz', name)

/** A process that is alone on its machine: every lock of this machine is stale. */
const ALONE = {isAlive: () => false, pid: 1, startOf: async () => null}

async function readTensors({entries}) {
  for (const entry of entries.values()) if (['F16', 'F32'].includes(entry.dtype)) await readTensorFloat32(entry)
}

/** A reader whose changed file lies beside others that stay good. */
const oneOf = (name, file, others, {read, share}) => ({file, files: others, name, read, share})

const WEIGHTS = {'model-00001-of-00001.safetensors': golden('model.safetensors')}
const PICKLED = {'pytorch_model-00001-of-00001.bin': example('pytorch_model.bin')}

const openModel = async (directory) => configOf(await openModelDirectory(directory))

const MODELS = [
  {
    file: 'a.safetensors',
    files: {'a.safetensors': example('adapter.safetensors')},
    name: 'safetensors',
    read: async (directory) => readTensors(await readSafetensorsHeader(path.join(directory, 'a.safetensors'))),
    share: 10,
  },
  {
    file: 'pytorch_model.bin',
    files: {'pytorch_model.bin': example('pytorch_model.bin')},
    name: 'pickle',
    read: async (directory) => readTensors(await readTorchHeader(path.join(directory, 'pytorch_model.bin'))),
    share: 12,
  },
  oneOf(
    'config',
    'config.json',
    {'config.json': golden('config.json'), 'model.safetensors': golden('model.safetensors')},
    {read: openModel, share: 5},
  ),
  oneOf(
    'index of safetensors',
    'model.safetensors.index.json',
    {
      ...WEIGHTS,
      'config.json': golden('config.json'),
      'model.safetensors.index.json': example('model.safetensors.index.json'),
    },
    {read: openModel, share: 4},
  ),
  oneOf(
    'index of pickles',
    'pytorch_model.bin.index.json',
    {
      ...PICKLED,
      'config.json': golden('config.json'),
      'pytorch_model.bin.index.json': example('pytorch_model.bin.index.json'),
    },
    {read: openModel, share: 4},
  ),
]

const OURS = {'adapter.json': example('adapter.json'), 'adapter.safetensors': example('adapter.safetensors')}
const PEFT_CONFIG = {'adapter_config.json': example('adapter_config.json')}
const PEFT = {...PEFT_CONFIG, 'adapter_model.safetensors': example('adapter_model.safetensors')}
const PEFT_PICKLED = {...PEFT_CONFIG, 'adapter_model.bin': example('adapter_model.bin')}
const PEFT_SAVED = {
  'adapter_config.json': golden('lora', 'adapter_config.json'),
  'adapter_model.safetensors': golden('lora', 'adapter_model.safetensors'),
}

const ADAPTERS = [
  oneOf('adapter (manifest)', 'adapter.json', OURS, {read: readAdapter, share: 5}),
  oneOf('adapter (tensors)', 'adapter.safetensors', OURS, {read: readAdapter, share: 5}),
  oneOf('adapter of PEFT (config)', 'adapter_config.json', PEFT_SAVED, {read: readAdapter, share: 4}),
  oneOf('adapter of PEFT (tensors)', 'adapter_model.safetensors', PEFT, {read: readAdapter, share: 4}),
  oneOf('adapter of PEFT (pickle)', 'adapter_model.bin', PEFT_PICKLED, {read: readAdapter, share: 5}),
]

/** A text in the metadata of a file that is otherwise good, with the hash that belongs to it. */
function sealed(directory, key, from, format) {
  const text = readFileSync(path.join(directory, from), 'utf8')
  const name = key === 'state' ? 'value.a' : '0.0.scan'
  const names = key === 'state' ? ['m.a', 'v.a', name] : [name, '0.0.window']
  const tensors = new Map(names.map((one) => [one, {shape: [2], values: Float32Array.of(1, 2)}]))
  const header = {__metadata__: {format, [key]: text, sha256: digestOf(text, tensors), version: '1'}}
  for (const [index, one] of names.entries()) {
    header[one] = {data_offsets: [8 * index, 8 * index + 8], dtype: 'F32', shape: [2]}
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const values = names.map(() => Buffer.from(Float32Array.of(1, 2).buffer))
  const file = path.join(directory, 'sealed.safetensors')
  writeFileSync(file, Buffer.concat([length, json, ...values]))
  return file
}

const CHECKPOINTS = [
  {
    file: 'checkpoint.safetensors',
    files: {'checkpoint.safetensors': example('checkpoint.safetensors')},
    name: 'checkpoint',
    async read(directory) {
      const file = path.join(directory, 'checkpoint.safetensors')
      fromContent(await readCheckpoint(file), file)
    },
    share: 5,
  },
  {
    file: 'state.json',
    files: {'state.json': example('checkpoint-state.json')},
    name: 'checkpoint (state)',
    async read(directory) {
      const file = sealed(directory, 'state', 'state.json', 'mambatune-checkpoint')
      fromContent(await readCheckpoint(file), file)
    },
    share: 6,
  },
  {
    file: 'conversation.json',
    files: {'conversation.json': example('conversation.json')},
    name: 'conversation',
    read: async (directory) =>
      readConversation(await sealed(directory, 'conversation', 'conversation.json', 'mambatune-conversation')),
    share: 4,
  },
]

const RUN = {
  'mine/adapter/adapter.json': example('adapter.json'),
  'mine/adapter/adapter.safetensors': example('adapter.safetensors'),
  'mine/checkpoints/step-00000002.safetensors': example('checkpoint.safetensors'),
  'mine/metrics.jsonl': example('metrics.jsonl'),
  'mine/recipe.resolved.yaml': here('recipes', 'lora-all-projections.yaml'),
}

async function readRuns(directory) {
  await listRuns(directory, ALONE)
  await readRun(path.join(directory, 'mine'), ALONE)
}

const RUNS = [
  ...[
    ['index of runs (metrics)', 'metrics.jsonl', 1],
    ['index of runs (recipe)', 'recipe.resolved.yaml', 0.5],
    ['index of runs (checkpoint)', 'checkpoints/step-00000002.safetensors', 0.5],
    ['index of runs (adapter)', 'adapter/adapter.json', 0.5],
  ].map(([name, file, share]) => oneOf(name, `mine/${file}`, RUN, {read: readRuns, share})),
  {
    file: 'metrics.jsonl',
    files: {'metrics.jsonl': example('metrics.jsonl')},
    name: 'metrics',
    read: (directory) => readMetrics(path.join(directory, 'metrics.jsonl')),
    share: 8,
  },
  {
    file: '.lock',
    files: {'.lock': example('lock.json')},
    name: 'lock',
    read: async (directory) => await lockDirectory(directory, ALONE),
    share: 1,
  },
  {
    file: 'recipe.yaml',
    files: {'recipe.yaml': here('recipes', 'lora-all-projections.yaml')},
    name: 'recipe',
    read: (directory) => loadRecipe(path.join(directory, 'recipe.yaml')),
    share: 3,
  },
]

export const READERS = [...MODELS, ...ADAPTERS, ...CHECKPOINTS, ...RUNS, ...DATA_READERS]

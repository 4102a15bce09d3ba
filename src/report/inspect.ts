/** What a path holds, told from its files alone: a model, an adapter or a run. No tensor library is loaded for it. */
import {stat} from 'node:fs/promises'
import path from 'node:path'
import {isAdapterDirectory, isPeftAdapter} from '../checkpoint/adapter-directory.js'
import {WEIGHT_FILES} from '../checkpoint/model-directory.js'
import {isFile} from '../checkpoint/weight-files.js'
import {FileError} from '../errors.js'
import {type AdapterInspection, inspectAdapter} from './inspect-adapter.js'
import {inspectModel, type ModelInspection} from './inspect-model.js'
import {inspectRun, isRun, type RunInspection} from './inspect-run.js'

/** Told apart by `kind`. */
export type Inspection = AdapterInspection | ModelInspection | RunInspection

const HINT =
  'Name a directory with config.json and model.safetensors (a model), adapter.json or adapter_config.json (an adapter), or metrics.jsonl (a run).'

/** Errors: FileError for anything else, and those of damaged files. */
export async function inspect(directory: string): Promise<Inspection> {
  await expectDirectory(directory)
  if ((await isAdapterDirectory(directory)) || (await isPeftAdapter(directory))) return inspectAdapter(directory)
  if (await isRun(directory)) return inspectRun(directory)
  for (const name of ['config.json', ...WEIGHT_FILES]) {
    if (await isFile(path.join(directory, name))) return inspectModel(directory)
  }
  throw new FileError(`${directory} holds neither a model, nor an adapter, nor a run.`, {hint: HINT})
}

async function expectDirectory(directory: string): Promise<void> {
  const status = await stat(directory).catch((error: NodeJS.ErrnoException) => {
    const reason =
      error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'does not exist' : `cannot be read: ${error.code}`
    throw new FileError(`${directory} ${reason}.`, {hint: HINT})
  })
  if (!status.isDirectory()) {
    throw new FileError(`${directory} is a file, and a directory is expected.`, {
      hint: `Name the directory that it lies in: ${path.dirname(directory)}`,
    })
  }
}

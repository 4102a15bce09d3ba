/** What the ways of storing weights, one file or shards with an index, safetensors or PyTorch's, have in common. */
import {stat} from 'node:fs/promises'
import path from 'node:path'

import {type Fault, FileError} from '../errors.js'
import {type SafetensorsHeader, type TensorEntry} from './safetensors-header.js'
import {readSafetensorsHeader} from './safetensors-read.js'
import {readTorchHeader} from './torch-read.js'

export interface Weights {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly weightFiles: readonly string[]
  readonly faults: readonly Fault[]
}

/** The tensors of a file of weights, safetensors or PyTorch's. */
export async function readWeightHeader(file: string): Promise<SafetensorsHeader> {
  return file.endsWith('.bin') ? readTorchHeader(file) : readSafetensorsHeader(file)
}

/** A header, or its faults as part of a longer list. */
export async function collectHeader(
  file: string,
): Promise<{header: SafetensorsHeader; faults: readonly []} | {header: null; faults: readonly Fault[]}> {
  const name = path.basename(file)
  if (!(await isFile(file))) return {faults: [{message: 'this file is missing', where: name}], header: null}
  try {
    return {faults: [], header: await readWeightHeader(file)}
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    const {faults, message} = error
    return {faults: faults.length > 0 ? faults : [{message, where: name}], header: null}
  }
}

export async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}

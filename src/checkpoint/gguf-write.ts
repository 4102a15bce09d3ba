/**
 * Writes GGUF files, version 3, as llama.cpp reads them: header, metadata, the list of tensors, and from the next multiple of
 * 32 bytes on the tensors, each filled up to such a multiple. Shapes are ours, the slowest axis first; the file has them the
 * other way round. One tensor is in memory at a time, and the file appears under its name only when it is complete.
 * The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import {Buffer} from 'node:buffer'

import {type Fault, FileError} from '../errors.js'
import {counted, quoted, refusal} from './file-faults.js'
import {BLOCK_VALUES, dtypeNumbers, type GgufDtype, ggufByteLength, toGgufBytes} from './gguf-dtypes.js'
import {encodeMetadata, encodeText, type GgufMetadata, long, word} from './gguf-metadata.js'
import {replaceFile, writeAll} from './output-directory.js'
import {elementCount, isShape} from './safetensors-header.js'

export interface GgufTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: GgufDtype
  readonly values: () => Promise<Float32Array>
}

const ALIGNMENT = 32
const VERSION = 3

/** Bytes of a name and axes of a tensor that ggml has room for */
const LONGEST_NAME = 63
const MOST_AXES = 4

/** Returns the bytes of the file. */
export async function writeGguf(
  file: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensor[],
  report: (done: number, total: number) => void = () => {},
): Promise<number> {
  const faults = checkTensors(tensors)
  if (faults.length > 0) throw refusal(`Cannot write ${file}`, faults)
  const header = encodeHeader(metadata, tensors)
  let bytes = header.length
  await replaceFile(file, async (handle) => {
    await writeAll(handle, header)
    for (const [index, tensor] of tensors.entries()) {
      const data = padded(await tensorBytes(file, tensor))
      await writeAll(handle, data)
      bytes += data.length
      report(index + 1, tensors.length)
    }
  })
  return bytes
}

function checkTensors(tensors: readonly GgufTensor[]): Fault[] {
  const faults: Fault[] = []
  const names = new Set<string>()
  for (const {dtype, name, shape} of tensors) {
    const where = quoted(name)
    if (names.has(name)) faults.push({message: 'two tensors have this name', where})
    names.add(name)
    if (Buffer.byteLength(name) > LONGEST_NAME) {
      faults.push({message: `the name takes ${Buffer.byteLength(name)} bytes, expected at most ${LONGEST_NAME}`, where})
    }
    if (!isShape(shape) || shape.length === 0 || shape.length > MOST_AXES || !elementCount(shape)) {
      faults.push({message: `shape must be one to ${MOST_AXES} whole numbers from 1, got ${quoted(shape)}`, where})
    } else if (dtype === 'q8_0' && (shape.at(-1) ?? 0) % BLOCK_VALUES !== 0) {
      faults.push({message: `rows of ${shape.at(-1)} values are no whole blocks of ${BLOCK_VALUES} for q8_0`, where})
    }
  }
  return faults
}

function encodeHeader(metadata: GgufMetadata, tensors: readonly GgufTensor[]): Uint8Array {
  let offset = 0
  const infos = tensors.map(({dtype, name, shape}) => {
    const axes = [...shape].reverse()
    const info = [encodeText(name), word(axes.length), ...axes.map(long), word(dtypeNumbers[dtype]), long(offset)]
    offset += aligned(ggufByteLength(elementCount(shape) ?? 0, dtype))
    return Buffer.concat(info)
  })
  const start = [Buffer.from('GGUF'), word(VERSION), long(tensors.length), long(metadata.size)]
  return padded(Buffer.concat([...start, encodeMetadata(metadata), ...infos]))
}

async function tensorBytes(file: string, {dtype, name, shape, values}: GgufTensor): Promise<Uint8Array> {
  const all = await values()
  const expected = elementCount(shape) ?? 0
  if (all.length !== expected) {
    const message = `Cannot write ${file}: tensor ${quoted(name)} came with ${counted(all.length, 'value')}; expected ${expected}`
    throw new FileError(message)
  }
  const limit = dtype === 'f16' ? 65_504 : dtype === 'q8_0' ? 127 * 65_504 : Infinity
  const bad = all.findIndex((value) => !(Math.abs(value) <= limit) || Math.abs(value) === Infinity)
  if (bad >= 0) {
    throw new FileError(`Cannot write ${file}: ${dtype} has no number for value ${bad} of ${name}, ${all[bad]}.`, {
      hint: Number.isFinite(all[bad]) ? 'Use --dtype bf16 or f32.' : 'The weights themselves are damaged.',
    })
  }
  return toGgufBytes(all, dtype)
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

function padded(bytes: Uint8Array): Uint8Array {
  const length = aligned(bytes.length)
  if (length === bytes.length) return bytes
  const result = new Uint8Array(length)
  result.set(bytes)
  return result
}

/**
 * Writes safetensors files in the layout of the format's own library, byte for byte: metadata first, tensors by
 * falling alignment of their dtype and then by name, the header padded with spaces to a multiple of 8 bytes. One
 * tensor is in memory at a time, and the file appears under its name only when it is complete.
 */
import {Buffer} from 'node:buffer'

import {FileError, type Fault} from '../errors.js'
import {bytesPerElement, type SafetensorsDtype} from './dtypes.js'
import {counted, quoted, refusal} from './file-faults.js'
import {replaceFile, writeAll} from './output-directory.js'
import {elementCount, HEADER_LIMIT, isShape, LENGTH_BYTES, METADATA_KEY} from './safetensors-header.js'

export interface TensorSource {
  readonly name: string
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly bytes: () => Promise<Uint8Array>
}

/** From the most to the least aligned, in the order of the format's own library. */
const LAYOUT_ORDER: readonly SafetensorsDtype[] = [
  'U64',
  'I64',
  'F64',
  'C64',
  'F32',
  'U32',
  'I32',
  'BF16',
  'F16',
  'U16',
  'I16',
  'F8_E8M0',
  'F8_E4M3',
  'F8_E5M2',
  'I8',
  'U8',
  'BOOL',
]

/** An empty `metadata` leaves the entry out. */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {format: 'pt'},
): Promise<void> {
  const faults = checkSources(tensors)
  if (faults.length > 0) throw refusal(`Cannot write ${file}`, faults)
  const ordered = inLayoutOrder(tensors)
  const header = encodeHeader(ordered, metadata)
  if (header.length > HEADER_LIMIT) {
    throw new FileError(`Cannot write ${file}: its header takes ${header.length} bytes; at most ${HEADER_LIMIT} may be`)
  }

  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true)
  await replaceFile(file, async (handle) => {
    await writeAll(handle, length)
    await writeAll(handle, header)
    for (const tensor of ordered) {
      const bytes = await tensor.bytes()
      if (bytes.length !== byteLength(tensor)) throw wrongLength(file, tensor, bytes.length)
      await writeAll(handle, bytes)
    }
  })
}

function checkSources(tensors: readonly TensorSource[]): readonly Fault[] {
  const faults: Fault[] = []
  const names = new Set<string>([METADATA_KEY])
  for (const {dtype, name, shape} of tensors) {
    const where = quoted(name)
    if (name === METADATA_KEY) faults.push({message: 'this name is taken by the format itself', where})
    else if (names.has(name)) faults.push({message: 'two tensors have this name', where})
    names.add(name)
    if (!isShape(shape) || !Number.isSafeInteger((elementCount(shape) ?? Infinity) * bytesPerElement[dtype])) {
      faults.push({message: `shape must be whole numbers from 0 that can be counted, got ${quoted(shape)}`, where})
    }
  }

  return faults
}

function inLayoutOrder(tensors: readonly TensorSource[]): readonly TensorSource[] {
  return tensors
    .map((tensor) => ({name: Buffer.from(tensor.name), rank: LAYOUT_ORDER.indexOf(tensor.dtype), tensor}))
    .sort((a, b) => a.rank - b.rank || Buffer.compare(a.name, b.name))
    .map(({tensor}) => tensor)
}

function encodeHeader(ordered: readonly TensorSource[], metadata: Readonly<Record<string, string>>): Uint8Array {
  // Joined by hand: an object would move names that are numbers, such as "0", to the front.
  const members: string[] = []
  if (Object.keys(metadata).length > 0) members.push(`${JSON.stringify(METADATA_KEY)}:${JSON.stringify(metadata)}`)
  let offset = 0
  for (const tensor of ordered) {
    const {dtype, name, shape} = tensor
    const end = offset + byteLength(tensor)
    members.push(`${JSON.stringify(name)}:${JSON.stringify({dtype, shape, data_offsets: [offset, end]})}`)
    offset = end
  }

  const json = Buffer.from(`{${members.join(',')}}`)
  const padding = Buffer.alloc((LENGTH_BYTES - (json.length % LENGTH_BYTES)) % LENGTH_BYTES, ' ')
  return Buffer.concat([json, padding])
}

function byteLength({dtype, shape}: TensorSource): number {
  return (elementCount(shape) ?? 0) * bytesPerElement[dtype]
}

function wrongLength(file: string, tensor: TensorSource, got: number): FileError {
  const {dtype, name, shape} = tensor
  const expected = `${counted(byteLength(tensor), 'byte')} for shape ${quoted(shape)} of ${dtype}`
  return new FileError(`Cannot write ${file}: tensor ${quoted(name)} came with ${got} bytes; expected ${expected}`)
}

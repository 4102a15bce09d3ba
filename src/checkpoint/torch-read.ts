/**
 * Reads the weights that PyTorch stores (`pytorch_model.bin`) as if they were a safetensors file: each tensor becomes a place
 * in the file, which is read when it is asked for. Everything is checked against the sizes of the storages first. The
 * pickle in the file is read by a machine that knows tensors and nothing else: see pickle.ts.
 */
import {stat} from 'node:fs/promises'
import path from 'node:path'

import {FileError} from '../errors.js'
import {bytesPerElement} from './dtypes.js'
import {counted, fileSystemError, quoted, refusal} from './file-faults.js'
import {readPickle, tensorsOf} from './pickle.js'
import {type PickledTensor, type PickleValue} from './pickle-values.js'
import {elementCount, type SafetensorsHeader, type TensorEntry} from './safetensors-header.js'
import {readPart} from './safetensors-read.js'
import {type Place, readTorchZip, type TorchZip} from './torch-zip.js'

/** Bytes. A model of some thousand tensors takes less than one million. */
const LONGEST_PICKLE = 16 * 2 ** 20

const DAMAGED_HINT = 'Download or copy the file again; if it stays so, the program that wrote it is at fault.'
const UNSAFE_HINT =
  'Only tensors are read from such a file. If you trust it, open it in PyTorch and store its weights as safetensors.'

export async function readTorchHeader(file: string): Promise<SafetensorsHeader> {
  const size = await sizeOf(file)
  await refuseOtherFormats(file, size)
  const archive = await readTorchZip(file, size)
  await checkByteOrder(file, archive)
  const {others, tensors} = tensorsOf(await readState(file, archive.pickle))
  const faults = others.map((name) => ({message: 'this is no tensor', where: nameOf(file, name)}))
  const entries = new Map<string, TensorEntry>()
  for (const [name, tensor] of tensors) {
    const found = entryOf(file, name, tensor, archive)
    if (typeof found === 'string') faults.push({message: found, where: nameOf(file, name)})
    else entries.set(name, found)
  }

  if (faults.length > 0) throw refusal(summary(file), faults, DAMAGED_HINT)
  if (entries.size === 0) throw damaged(file, 'its pickle holds no tensors by name')
  return {entries, metadata: {}}
}

async function sizeOf(file: string): Promise<number> {
  try {
    const status = await stat(file)
    if (status.isFile()) return status.size
  } catch (error) {
    throw fileSystemError(error, 'read', file)
  }

  throw new FileError(`Cannot read ${file}: it is not a file`)
}

async function refuseOtherFormats(file: string, size: number): Promise<void> {
  const start = Buffer.from(await readPart(file, {begin: 0, end: Math.min(8, size)})).toString('latin1')
  if (start === 'version ') {
    const message = 'this is a Git LFS pointer, a note of where the file is kept, not the file itself'
    throw damaged(file, message, 'Run `git lfs pull` where the file came from, or download it again.')
  }

  if (start.startsWith('\u0080')) {
    const message = 'this is a file of PyTorch before version 1.6, which is a pickle throughout'
    throw damaged(file, message, 'Load it in PyTorch, and store the weights again as safetensors.')
  }
}

async function checkByteOrder(file: string, {byteOrder}: TorchZip): Promise<void> {
  if (!byteOrder) return
  const text = Buffer.from(await readPart(file, {...byteOrder, end: Math.min(byteOrder.end, byteOrder.begin + 16)}))
  if (text.toString('latin1') === 'little') return
  throw damaged(file, `the byte order is ${quoted(text.toString('latin1'))}; only "little" is read`)
}

async function readState(file: string, pickle: Place): Promise<PickleValue> {
  const length = pickle.end - pickle.begin
  if (length > LONGEST_PICKLE) {
    throw damaged(file, `its pickle has ${counted(length, 'byte')}; at most ${LONGEST_PICKLE} are read`)
  }

  const result = readPickle(await readPart(file, pickle))
  if ('value' in result) return result.value
  const {at, message} = result.fault
  const where = `${path.basename(file)}: data.pkl, byte ${at}`
  throw refusal(summary(file), [{message, where}], UNSAFE_HINT)
}

/** The tensor as a place in the file, or what is wrong with it. */
function entryOf(file: string, name: string, tensor: PickledTensor, {storages}: TorchZip): TensorEntry | string {
  const {offset, shape, storage} = tensor
  const {dtype, elements, key} = storage
  const place = storages.get(key)
  const width = bytesPerElement[dtype]
  if (!place) return `its storage ${quoted(key)} is missing in the file`
  if (place.end - place.begin !== elements * width) {
    const expected = `${counted(elements, 'number')} of ${dtype} take ${counted(elements * width, 'byte')}`
    return `its storage ${quoted(key)} has ${counted(place.end - place.begin, 'byte')}, but ${expected}`
  }

  const begin = place.begin + offset * width
  return {begin, dtype, end: begin + (elementCount(shape) ?? 0) * width, file, name, shape}
}

function nameOf(file: string, name: string): string {
  return `${path.basename(file)}: ${quoted(name)}`
}

function summary(file: string): string {
  return `Cannot read ${file} as weights of PyTorch`
}

function damaged(file: string, message: string, hint = DAMAGED_HINT): FileError {
  return refusal(summary(file), [{message, where: path.basename(file)}], hint)
}

/**
 * One tensor of a checkpoint to the device. On the GPU it goes there in pieces as the file holds it, and a frozen matrix
 * is stored in the device's precision; everything that a state space model is sensitive to stays f32.
 */
import * as tf from '@tensorflow/tfjs-core'
import {gpuBackend} from '../backend/gpu/current.js'
import {loadTensor, type TensorSource} from '../backend/gpu/load-tensor.js'
import {firstNotFinite} from '../checkpoint/first-not-finite.js'
import {readTensorFloat32, readTensorPieces, type TensorEntry} from '../checkpoint/safetensors.js'

/** Bytes of a file that are read at once. */
const PIECE_BYTES = 64 * 2 ** 20

export interface LoadedParameter {
  readonly tensor: tf.Tensor
  /** What is wrong with its values */
  readonly faults: readonly string[]
}

/** @param isMatrix it is multiplied by, or rows are taken from it, and nothing else */
export async function loadParameter(entry: TensorEntry, isMatrix: boolean): Promise<LoadedParameter> {
  const backend = gpuBackend()
  if (!backend) return loadFromHost(entry)
  const columns = entry.shape[entry.shape.length - 1] ?? 1
  const format = isMatrix && backend.precision === 'f16' && columns % 8 === 0 ? 'f16' : 'f32'
  const loaded = await loadTensor(backend, {format, shape: entry.shape, ...piecesOf(entry, backend.facts.bindingBytes)})
  const faults = [
    ...(loaded.notFinite === null ? [] : [`value ${loaded.notFinite} is not finite`]),
    ...(loaded.tooLarge === null ? [] : [`value ${loaded.tooLarge} is too large for f16`]),
  ]
  return {faults, tensor: tf.engine().makeTensorFromTensorInfo(loaded.tensor)}
}

/** Pieces that a kernel can see whole. What the device cannot convert (F64) is converted here first. */
function piecesOf(entry: TensorEntry, bindingBytes: number): Pick<TensorSource, 'pieces' | 'source'> {
  const bytes = Math.min(PIECE_BYTES, 16 * Math.floor(bindingBytes / 16))
  const source = ({BF16: 'bf16', F16: 'f16', F32: 'f32'} as const)[entry.dtype as string]
  if (source) return {pieces: readTensorPieces(entry, bytes), source}
  return {pieces: convertedPieces(entry, bytes), source: 'f32'}
}

async function* convertedPieces(entry: TensorEntry, bytes: number): AsyncGenerator<Uint8Array> {
  const {buffer, byteLength, byteOffset} = await readTensorFloat32(entry)
  for (let at = 0; at < byteLength; at += bytes) {
    yield new Uint8Array(buffer, byteOffset + at, Math.min(bytes, byteLength - at))
  }
}

async function loadFromHost(entry: TensorEntry): Promise<LoadedParameter> {
  const values = await readTensorFloat32(entry)
  const bad = firstNotFinite(values)
  return {
    faults: bad < 0 ? [] : [`value ${bad} is ${values[bad]}`],
    tensor: tf.tensor(values, [...entry.shape]),
  }
}

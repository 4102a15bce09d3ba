/**
 * A tensor of a checkpoint straight from its file to the GPU, a piece at a time: the host never holds more than a few
 * pieces, and numbers are converted where they arrive.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from './gpu-backend.js'
import {type SourceFormat, widen, widenGrid} from './widen.wgsl.js'

/** Bytes handed over before the program waits for the GPU to have taken them: Dawn keeps copies until then. */
const IN_FLIGHT = 256 * 2 ** 20
const NONE = 0xff_ff_ff_ff

export interface TensorSource {
  readonly shape: readonly number[]
  readonly source: SourceFormat
  /** How it is stored; f16 only if the last axis is a multiple of 8 */
  readonly format: 'f16' | 'f32'
  /** Its bytes in order. Pieces may share one buffer; each but the last is a multiple of 4 bytes. */
  readonly pieces: AsyncIterable<Uint8Array>
}

export interface LoadedTensor {
  readonly tensor: tf.TensorInfo
  /** Place of the first number that is not finite; null when all are */
  readonly notFinite: number | null
  /** Place of the first number that f16 cannot hold */
  readonly tooLarge: number | null
}

export async function loadTensor(
  backend: GpuBackend,
  {format, pieces, shape, source}: TensorSource,
): Promise<LoadedTensor> {
  const tensor = backend.empty(shape, format)
  const faults = words(backend, new Int32Array([NONE, NONE, 0, 0]))
  const shader = widen(source, format)
  let first = 0
  let inFlight = 0
  for await (const piece of pieces) {
    const values = wholeWords(piece)
    const uploaded = words(backend, values)
    backend.launch({
      grid: widenGrid(values.length),
      inputs: [uploaded],
      outputs: [],
      shader,
      updates: [tensor, faults],
      whole: [values.length, first],
    })
    backend.disposeData(uploaded.dataId)
    first += values.length
    inFlight += piece.byteLength
    if (inFlight < IN_FLIGHT) continue
    await backend.finish()
    inFlight = 0
  }
  const [notFinite, tooLarge] = new Uint32Array((await backend.readWords(faults)).buffer)
  backend.disposeData(faults.dataId)
  return {notFinite: placeOf(notFinite), tensor, tooLarge: placeOf(tooLarge)}
}

function words(backend: GpuBackend, values: Int32Array): tf.TensorInfo {
  const shape = [values.length]
  return {dataId: backend.write(values, shape, 'int32'), dtype: 'int32', shape}
}

/** The bytes as whole words; zeros fill the last one. */
function wholeWords(piece: Uint8Array): Int32Array {
  if (piece.byteLength % 4 === 0 && piece.byteOffset % 4 === 0) {
    return new Int32Array(piece.buffer, piece.byteOffset, piece.byteLength / 4)
  }
  const padded = new Uint8Array(4 * Math.ceil(piece.byteLength / 4))
  padded.set(piece)
  return new Int32Array(padded.buffer)
}

function placeOf(found: number): number | null {
  return found === NONE ? null : found
}

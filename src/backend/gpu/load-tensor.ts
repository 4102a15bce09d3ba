/**
 * A tensor of a checkpoint straight from its file to the GPU, a piece at a time: the host never holds more than a few
 * pieces, and numbers are converted where they arrive. A matrix that no binding shows whole comes in windows of rows.
 */
import type * as tf from '@tensorflow/tfjs-core'
import {type GpuBackend} from './gpu-backend.js'
import {type SourceFormat, widen, widenGrid} from './widen.wgsl.js'

/** Bytes handed over before the program waits for the GPU to have taken them: Dawn keeps copies until then. */
const IN_FLIGHT = 256 * 2 ** 20
const NONE = 0xff_ff_ff_ff

const SOURCE_BYTES: Readonly<Record<SourceFormat, number>> = {bf16: 2, f16: 2, f32: 4}

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
  const columns = shape[shape.length - 1] ?? 1
  const parts = (backend.windowsOf(tensor) ?? [{from: 0, tensor}]).map((window) => ({
    faults: words(backend, new Int32Array([NONE, NONE, 0, 0])),
    firstNumber: window.from * columns,
    tensor: window.tensor,
  }))
  const shader = widen(source, format)
  let inFlight = 0
  for await (const {bytes, first, index} of shared(pieces, parts, SOURCE_BYTES[source])) {
    const values = wholeWords(bytes)
    const uploaded = words(backend, values)
    backend.launch({
      grid: widenGrid(values.length),
      inputs: [uploaded],
      outputs: [],
      shader,
      updates: [parts[index].tensor, parts[index].faults],
      whole: [values.length, first],
    })
    backend.disposeData(uploaded.dataId)
    inFlight += bytes.byteLength
    if (inFlight < IN_FLIGHT) continue
    await backend.finish()
    inFlight = 0
  }
  const found = await Promise.all(parts.map((part) => faultsOf(backend, part)))
  const firstOf = (places: readonly (number | null)[]): number | null => places.find((place) => place !== null) ?? null
  return {
    notFinite: firstOf(found.map(([notFinite]) => notFinite)),
    tensor,
    tooLarge: firstOf(found.map(([, tooLarge]) => tooLarge)),
  }
}

/** A window, or the whole tensor: its numbers begin at `firstNumber`. */
interface Part {
  readonly firstNumber: number
  readonly tensor: tf.TensorInfo
  readonly faults: tf.TensorInfo
}

/** Bytes that belong to one part */
interface Share {
  readonly index: number
  readonly bytes: Uint8Array
  /** The first word's number in the part */
  readonly first: number
}

/** Pieces, cut where a part ends: parts begin at multiples of eight numbers, so each share but the last is whole words. */
async function* shared(
  pieces: AsyncIterable<Uint8Array>,
  parts: readonly Part[],
  numberBytes: number,
): AsyncGenerator<Share> {
  let at = 0
  let index = 0
  for await (const piece of pieces) {
    for (let done = 0; done < piece.byteLength;) {
      const begin = parts[index].firstNumber * numberBytes
      const end = (parts[index + 1]?.firstNumber ?? Infinity) * numberBytes
      const bytes = piece.subarray(done, Math.min(piece.byteLength, done + end - at))
      yield {bytes, first: (at - begin) / 4, index}
      done += bytes.byteLength
      at += bytes.byteLength
      if (at === end) index++
    }
  }
}

/** Places in the whole tensor of the first number that is not finite, and of the first that f16 cannot hold */
async function faultsOf(backend: GpuBackend, {faults, firstNumber}: Part): Promise<(number | null)[]> {
  const places = new Uint32Array((await backend.readWords(faults)).buffer)
  backend.disposeData(faults.dataId)
  return [...places.subarray(0, 2)].map((place) => (place === NONE ? null : firstNumber + place))
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

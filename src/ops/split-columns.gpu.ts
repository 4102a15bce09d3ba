/** Parts of rows on the GPU: slices are views of the same buffer, and their gradients are put side by side. */
import type * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../backend/gpu/launch.js'
import {type Format} from '../backend/gpu/shader.js'
import {toTensors} from './operation.js'
import {joinColumns, joinGrid, joinWidth} from './join-columns.wgsl.js'
import {placeColumns, placeWidth} from './place-columns.wgsl.js'

/** x (…, Σ widths) → a view (…, width) for each width. */
export function splitOnGpu(host: ShaderHost, x: tf.TensorInfo, widths: readonly number[]): tf.TensorInfo[] {
  let from = 0
  return widths.map((width) => {
    const view = host.columns(x, from, width)
    from += width
    return view
  })
}

/**
 * The gradient of x from those of its slices. Parts that lie beside x already are not moved; where some do, the others are put
 * there, in the same format.
 */
export function joinGradients(host: ShaderHost, x: tf.TensorInfo, parts: readonly tf.TensorInfo[]): tf.TensorInfo {
  const columns = x.shape[x.shape.length - 1]
  const liesBeside = (part: tf.TensorInfo): boolean => host.rowsOf(part).stride === columns
  const first = parts.find(liesBeside)
  const even = parts.every(({shape}) => shape[shape.length - 1] % 2 === 0)
  if (!first || !even || columns % 8 !== 0) return joinOnGpu(host, parts)
  const format = host.formatOf(first)
  let from = 0
  const placed = parts.map((part) => {
    const width = part.shape[part.shape.length - 1]
    from += width
    if (liesBeside(part)) return part
    const [slice] = toTensors([host.columns(x, from - width, width)])
    return toTensors([placeBeside(host, slice, part, format)])[0]
  })
  return joinOnGpu(host, placed)
}

/** Copies a part to where its slice of x has its gradient. */
function placeBeside(host: ShaderHost, beside: tf.TensorInfo, part: tf.TensorInfo, to: Format): tf.TensorInfo {
  const place = {columns: part.shape[part.shape.length - 1], from: host.formatOf(part), to}
  const width = placeWidth(place)
  const {offset, stride} = host.rowsOf(beside)
  const count = part.shape.reduce((size, length) => size * length, 1) / width
  const [placed] = host.launch({
    grid: joinGrid(count),
    inputs: [part],
    outputs: [{beside, format: to, shape: part.shape}],
    shader: placeColumns(place),
    whole: [count, offset / width, stride / width],
  })
  return placed
}

/** Tensors (…, width) side by side; f16 when all of them are. Those that lie so already are not moved. */
function joinOnGpu(host: ShaderHost, parts: readonly tf.TensorInfo[]): tf.TensorInfo {
  const together = host.whole(parts)
  if (together) return together
  const widths = parts.map(({shape}) => shape[shape.length - 1])
  const columns = widths.reduce((sum, width) => sum + width, 0)
  const formats = parts.map((part) => host.formatOf(part))
  const to: Format = formats.every((format) => format === 'f16') && columns % 8 === 0 ? 'f16' : 'f32'
  const join = {formats, to, widths}
  const shape = [...parts[0].shape.slice(0, -1), columns]
  const count = shape.reduce((size, length) => size * length, 1) / joinWidth(join)
  const [joined] = host.launch({
    grid: joinGrid(count),
    inputs: parts,
    outputs: [{format: to, shape}],
    shader: joinColumns(join),
    whole: [count],
  })
  return joined
}

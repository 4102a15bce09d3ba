/** Parts of rows on the GPU: slices are views of the same buffer, and their gradients are put side by side. */
import type * as tf from '@tensorflow/tfjs-core'
import {type ShaderHost} from '../backend/gpu/launch.js'
import {type Format} from '../backend/gpu/shader.js'
import {joinColumns, joinGrid, joinWidth} from './join-columns.wgsl.js'

/** x (…, Σ widths) → a view (…, width) for each width. */
export function splitOnGpu(host: ShaderHost, x: tf.TensorInfo, widths: readonly number[]): tf.TensorInfo[] {
  let from = 0
  return widths.map((width) => {
    const view = host.columns(x, from, width)
    from += width
    return view
  })
}

/** Tensors (…, width) side by side; f16 when all of them are. Those that lie so already are not moved. */
export function joinOnGpu(host: ShaderHost, parts: readonly tf.TensorInfo[]): tf.TensorInfo {
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

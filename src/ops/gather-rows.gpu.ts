/** Launches the shader that takes rows by index. */
import * as tf from '@tensorflow/tfjs-core'
import {type RowWindow, type ShaderHost} from '../backend/gpu/launch.js'
import {flatGrid, type Format} from '../backend/gpu/shader.js'
import {gatherGroups, gatherRowsShader} from './gather-rows.wgsl.js'

export interface Gather {
  readonly table: tf.TensorInfo // (V, d)
  readonly indices: tf.TensorInfo // int32
  /** Of the result; f16 only where d is a multiple of 8 */
  readonly format: Format
  /** The part of the indices; all where absent */
  readonly from?: number
  readonly rows?: number
}

/** → (rows, d). */
export function gatherRowsOnGpu(host: ShaderHost, {format, from = 0, indices, rows, table}: Gather): tf.TensorInfo {
  const columns = tf.util.sizeFromShape(table.shape.slice(1))
  const count = rows ?? tf.util.sizeFromShape(indices.shape) - from
  const windows = host.windowsOf(table)
  if (windows) return gatherFromWindows(host, windows, indices, {columns, count, format, from})
  const [out] = host.launch({
    grid: flatGrid(gatherGroups(count, columns)),
    inputs: [table, indices],
    outputs: [{format, shape: [count, columns]}],
    shader: gatherRowsShader({columns, out: format, table: host.formatOf(table)}),
    whole: [count, table.shape[0], from],
  })
  return out
}

interface Part {
  readonly columns: number
  readonly count: number
  readonly format: Format
  readonly from: number
}

/** Each window gives the rows that lie in it. */
function gatherFromWindows(
  host: ShaderHost,
  windows: readonly RowWindow[],
  indices: tf.TensorInfo,
  {columns, count, format, from}: Part,
): tf.TensorInfo {
  const [{tensor: any}] = windows
  const shader = gatherRowsShader({columns, out: format, table: host.formatOf(any), windowed: true})
  let out: tf.TensorInfo | null = null // (rows, d)
  for (const {from: first, tensor} of windows) {
    const made: tf.TensorInfo[] = host.launch({
      grid: flatGrid(gatherGroups(count, columns)),
      inputs: [tensor, indices],
      outputs: out ? [] : [{format, shape: [count, columns]}],
      shader,
      updates: out ? [out] : [],
      whole: [count, tensor.shape[0], from, first],
    })
    out ??= made[0]
  }
  return out as tf.TensorInfo
}
